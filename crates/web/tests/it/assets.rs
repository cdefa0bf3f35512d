//! Style sheet, script, and the contrast of the colours.

use std::collections::BTreeMap;

use axum::http::StatusCode;

use crate::html;
use crate::site::TestSite;

const SHEET: &str = include_str!("../../assets/site.css");

#[tokio::test]
async fn files_are_kept_for_good_under_an_address_with_their_hash() {
    let site = TestSite::new().await;
    let page = site.page("/").await;
    let elements = html::elements(&page);
    let sheet = elements.iter().find(|e| e.get("rel") == "stylesheet").unwrap().get("href");
    let answer = site.get(sheet).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.body, SHEET);
    for wrong in ["/assets/site.css", "/assets/site-0000000000000000.css", "/assets/..%2Flib.rs"] {
        assert_eq!(site.get(wrong).await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[tokio::test]
async fn symbol_and_robots() {
    let site = TestSite::new().await;
    let symbol = site.get("/favicon.svg").await;
    assert_eq!(symbol.header("content-type"), "image/svg+xml");
    assert!(symbol.body.starts_with("<svg"));
    assert!(site.get("/robots.txt").await.body.starts_with("User-agent: *"));
}

/// The colours of a `:root` block.
fn colours(block: &str) -> BTreeMap<&str, &str> {
    let lines = block.lines().filter_map(|l| l.trim().strip_prefix("--")?.split_once(": "));
    lines.map(|(n, v)| (n, v.trim_end_matches(';'))).filter(|(_, v)| v.starts_with('#')).collect()
}

/// Relative luminance as WCAG 2 defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let byte = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
        let share = f64::from(byte) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_have_contrast_in_light_and_in_dark() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    let mut blocks = SHEET.split(":root {").skip(1).map(|b| b.split('}').next().unwrap());
    let light = colours(blocks.next().unwrap());
    let dark = colours(blocks.next().unwrap());
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for scheme in [light, dark] {
        let check = |fore: &str, back: &str, least: f64| {
            let found = contrast(scheme[fore], scheme[back]);
            assert!(found >= least, "{fore} on {back}: {found:.2}, needed {least}");
        };
        for back in ["page", "raised", "sunken"] {
            for fore in ["ink", "muted", "accent", "reproduced", "partly", "not-at-this-scale"] {
                check(fore, back, 4.5);
            }
        }
        for tone in ["reproduced", "partly", "not-at-this-scale", "not-tested", "accent"] {
            check(tone, &format!("{tone}-soft"), 4.5);
        }
        check("ink", "accent-soft", 4.5);
        check("ink", "mark", 4.5);
        check("on-accent", "accent", 4.5);
        check("edge", "page", 3.0);
        for line in 0..8 {
            check(&format!("c{line}"), "page", 3.0);
        }
    }
}

#[test]
fn the_sheet_knows_every_class_of_charts_and_badges() {
    for class in ["c0", "c7", "d1", "d3", "reproduced", "partly", "not-at-this-scale", "not-tested"]
    {
        assert!(SHEET.contains(&format!(".{class}")), ".{class}");
    }
}
