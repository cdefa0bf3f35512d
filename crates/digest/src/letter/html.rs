//! A letter as HTML for mail programs.
//!
//! They know little: tables for the frame, and styles at each element, because some take out the sheet.
//! The sheet adds the dark colours and narrow screens. Colours and type are those of the site.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use pressrun_lab::Outcome;

use super::entry::{Entry, Verdict};
use super::say::Said;

/// What cannot be said at an element. A style there is beaten by `!important` only.
const SHEET: &str = "\
:root{color-scheme:light dark;supported-color-schemes:light dark}\
@media (max-width:600px){\
.page{padding:0!important}\
.card{border-width:0!important}\
.in{padding-left:18px!important;padding-right:18px!important}}\
@media (prefers-color-scheme:dark){\
.page{background:#15171a!important}\
.card,.in{background:#1c1f23!important;border-color:#34383e!important}\
.ink{color:#e7e5df!important}\
.muted{color:#a9a69e!important}\
.link{color:#8fbbec!important}\
.note{background:#352a12!important;color:#e8c26e!important}\
.reproduced{background:#173124!important;color:#82d3a6!important}\
.partly{background:#352a12!important;color:#e8c26e!important}\
.not-at-this-scale{background:#3b2120!important;color:#f2a59e!important}\
.not-tested{background:#2a2d31!important;color:#b9b6af!important}}";

const BODY: &str = "margin:0;padding:0;background:#fbfaf7";
/// Programs that build previews read it, the eye does not.
const HIDDEN: &str = "display:none;max-height:0;overflow:hidden;mso-hide:all";
const PAGE: &str = "padding:24px 12px;background:#fbfaf7";
const CARD: &str = "width:100%;max-width:640px;background:#ffffff;border:1px solid #dedad1;\
    border-collapse:separate;table-layout:fixed;text-align:left;\
    overflow-wrap:anywhere;word-break:break-word";
const HEAD: &str = "padding:24px 28px 10px;";
const ROW: &str = "padding:20px 28px 12px;border-top:1px solid #dedad1;";
const SANS: &str = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',sans-serif";
const SERIF: &str =
    "font-family:Charter,'Bitstream Charter','Sitka Text',Cambria,Georgia,'Liberation Serif',serif";
const SITE: &str = "margin:0 0 6px;font-size:16px;line-height:1.5";
const H1: &str = "margin:0 0 12px;font-size:24px;line-height:1.25;color:#1d1c1a;";
const H2: &str = "margin:0 0 6px;font-size:20px;line-height:1.3;";
const TEXT: &str = "margin:0 0 10px;font-size:16px;line-height:1.5;color:#1d1c1a";
const META: &str = "margin:0 0 8px;font-size:14px;line-height:1.5;color:#5d5a54";
const NOTE: &str = "margin:0 0 12px;padding:8px 12px;font-size:16px;line-height:1.5;\
    background:#faefd4;color:#745000";
const LINK: &str = "color:#1b4b82;text-decoration:underline";
const BADGE: &str = "display:inline-block;padding:1px 8px;border-radius:4px;font-size:14px;\
    font-weight:600;line-height:1.5;";

pub(super) fn write(said: &Said<'_>) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" dir="ltr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                // Numbers and days are no telephone numbers and appointments.
                meta name="format-detection" content="telephone=no,date=no,address=no,email=no";
                meta name="x-apple-disable-message-reformatting";
                title { (said.subject) }
                style { (PreEscaped(SHEET)) }
            }
            body.page style=(BODY) {
                div style=(HIDDEN) { (said.preview) }
                table.page role="presentation" width="100%" cellpadding="0" cellspacing="0"
                    border="0" style="background:#fbfaf7" {
                    tr { td.page align="center" style=(PAGE) { (card(said)) } }
                }
            }
        }
    };
    document.into_string()
}

/// The one column. The width as an attribute is for programs that know no greatest width.
fn card(said: &Said<'_>) -> Markup {
    html! {
        table.card role="presentation" width="640" cellpadding="0" cellspacing="0" border="0"
            style=(CARD) {
            tr { td.in style={ (HEAD) (SANS) } { (head(said)) } }
            @for entry in &said.entries {
                tr { td.in style={ (ROW) (SANS) } { (paper(entry)) } }
            }
            tr { td.in style={ (ROW) (SANS) } { (foot(said)) } }
        }
    }
}

fn head(said: &Said<'_>) -> Markup {
    html! {
        p style=(SITE) { (link(&said.links.site, "Pressrun")) }
        h1.ink style={ (H1) (SERIF) } { (said.heading) }
        @for notice in &said.notices { p.note style=(NOTE) { (notice) } }
        p.muted style=(META) { (said.about) }
        @for paragraph in &said.none { p.ink style=(TEXT) { (paragraph) } }
    }
}

fn paper(entry: &Entry) -> Markup {
    html! {
        // A title may be in a script that runs the other way.
        h2 dir="auto" style={ (H2) (SERIF) } { (link(&entry.url, &entry.title)) }
        @if !entry.authors.is_empty() {
            p.muted dir="auto" style=(META) { (entry.authors) }
        }
        p.muted style=(META) {
            (entry.facts)
            @if let Some(verdict) = &entry.verdict { " " (badge(verdict)) }
        }
        @if !entry.excerpt.is_empty() { p.ink dir="auto" style=(TEXT) { (entry.excerpt) } }
        @if !entry.why.is_empty() { p.muted style=(META) { (entry.why) } }
        @if let Some(code) = &entry.code { p.muted style=(META) { (link(code, "The authors' code")) } }
    }
}

fn foot(said: &Said<'_>) -> Markup {
    html! {
        @for (words, url) in &said.foot { p.muted style=(META) { (link(url, words)) } }
        p.muted style=(META) { (said.closing) }
    }
}

fn link(url: &str, words: &str) -> Markup {
    html! { a.link href=(url) style=(LINK) { (words) } }
}

fn badge(verdict: &Verdict) -> Markup {
    let colours = match verdict.tone {
        Outcome::Reproduced => "background:#e1f2e8;color:#14663f",
        Outcome::Partly => "background:#faefd4;color:#745000",
        Outcome::NotAtThisScale => "background:#f9e6e4;color:#97292b",
        Outcome::NotTested => "background:#ecebe6;color:#55534e",
    };
    html! { span.(verdict.tone.slug()) style={ (BADGE) (colours) } { (verdict.words) } }
}

#[cfg(test)]
mod tests {
    use super::super::{sample, say};
    use super::*;

    /// Relative luminance of a colour `#rrggbb` (WCAG 2).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The colour after a property, where it stands first in a piece of style.
    fn colour<'a>(style: &'a str, property: &str) -> Option<&'a str> {
        let starts = style.match_indices(property).map(|(at, _)| at);
        // Not `color` of `border-color`.
        let mut own = starts.filter(|at| {
            *at == 0
                || !style.as_bytes()[at - 1].is_ascii_alphabetic()
                    && style.as_bytes()[at - 1] != b'-'
        });
        let at = own.next()? + property.len();
        style.get(at..at + 7)
    }

    #[test]
    fn every_colour_is_read_well_on_its_ground() {
        let html = write(&say::say(&sample::edition(sample::papers())));
        let mut checked = 0;
        // Light: the styles of elements, on their own ground or the card's.
        for style in html.split("style=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if let Some(ink) = colour(style, "color:") {
                let ground = colour(style, "background:").unwrap_or("#ffffff");
                assert!(contrast(ink, ground) >= 4.5, "{style}");
                checked += 1;
            }
        }
        // Dark: the rules of the sheet.
        let dark = SHEET.split_once("dark){").unwrap().1;
        for rule in dark.split('}').filter_map(|rule| Some(rule.split_once('{')?.1)) {
            if let Some(ink) = colour(rule, "color:") {
                let ground = colour(rule, "background:").unwrap_or("#1c1f23");
                if rule.contains("border-color") {
                    continue;
                }
                assert!(contrast(ink, ground) >= 4.5, "{rule}");
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked}");
        assert!(contrast("#777777", "#ffffff") < 4.5 && contrast("#000000", "#ffffff") > 20.9);
    }

    #[test]
    fn nothing_is_fetched_and_nothing_is_small() {
        let html = write(&say::say(&sample::edition(sample::papers())));
        for sign in ["<img", "<link", "<script", "url(", "@import", "src="] {
            assert!(!html.contains(sign), "{sign}");
        }
        let sizes = html.split("font-size:").skip(1).filter_map(|rest| rest.split("px").next());
        let sizes: Vec<u32> = sizes.map(|size| size.parse().unwrap()).collect();
        assert!(sizes.len() > 10 && sizes.iter().all(|size| *size >= 14), "{sizes:?}");
        assert_eq!(html.matches("<style>").count(), 1);
        assert_eq!(html.matches("<table").count(), html.matches("role=\"presentation\"").count());
    }
}
