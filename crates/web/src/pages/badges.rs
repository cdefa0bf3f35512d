//! A paper's verdicts as pictures: a small one for a project's own page elsewhere, and the one that
//! other sites show where somebody links to the paper.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use maud::html;
use pressrun_catalog::VerdictCounts;
use pressrun_lab::Outcome;

use crate::site::Shared;
use crate::view::badge as view;
use crate::{Error, Result, fresh, picture};

const HEIGHT: u32 = 20;
/// Room on either side of a text.
const MARGIN: f64 = 6.0;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/papers/{id}/badge.svg", get(badge))
        .route("/papers/{id}/og.png", get(picture))
}

async fn badge(
    State(site): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    let svg = draw(paper.verdicts.as_ref());
    Ok(fresh::answer(&headers, "image/svg+xml", svg, None))
}

/// The picture of a paper for other sites, drawn when it is first asked for.
async fn picture(
    State(site): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
    // What it shows is its key: another title or verdict is another picture.
    let key = format!("{}\n{:?}\n{:?}", paper.title, paper.authors, paper.verdicts);
    let drawn = match site.pictures.get(&key) {
        Some(drawn) => drawn,
        None => {
            let drawing = tokio::task::spawn_blocking(move || picture::draw(&paper)).await;
            let failed = || Error::Status(StatusCode::INTERNAL_SERVER_ERROR);
            let drawn = Bytes::from(drawing.ok().flatten().ok_or_else(failed)?);
            site.pictures.put(key, drawn.clone());
            drawn
        }
    };
    Ok(fresh::answer(&headers, "image/png", drawn, None))
}

/// The word, the count beside it, and the colour of the count.
fn draw(verdicts: Option<&VerdictCounts>) -> String {
    let (word, count, colour, title) = match verdicts.filter(|counts| counts.total() > 0) {
        Some(counts) => {
            let count = format!("{}/{}", counts.reproduced, counts.total());
            let title = format!("Pressrun: {}", view::breakdown(counts));
            ("reproduced", count, colour(view::tone(counts)), title)
        }
        None => {
            let title = "Pressrun: this paper has not been run yet".to_owned();
            ("reproduced", "not run yet".to_owned(), colour(Outcome::NotTested), title)
        }
    };
    let (left, right) = (width(word) + 2.0 * MARGIN, width(&count) + 2.0 * MARGIN);
    let total = left + right;
    let text = |x: f64, what: &str| {
        html! { text x=(x) y="14" text-anchor="middle" { (what) } }
    };
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(total) height=(HEIGHT)
            viewBox={ "0 0 " (total) " " (HEIGHT) } role="img" aria-label=(title) {
            title { (title) }
            clipPath id="round" { rect width=(total) height=(HEIGHT) rx="3" {} }
            g clip-path="url(#round)" {
                rect width=(left) height=(HEIGHT) fill="#3c4043" {}
                rect x=(left) width=(right) height=(HEIGHT) fill=(colour) {}
            }
            g fill="#ffffff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" {
                (text(left / 2.0, word))
                (text(left + right / 2.0, &count))
            }
        }
    };
    svg.into_string()
}

/// Colours on which white text has a contrast of at least 4.5.
fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduced => "#1a7f37",
        Outcome::Partly => "#8a5a00",
        Outcome::NotAtThisScale => "#b3261e",
        Outcome::NotTested => "#5f6368",
    }
}

/// Width of a text of 11 pixels in Verdana, to a pixel or so.
fn width(text: &str) -> f64 {
    let of = |c: char| match c {
        'i' | 'l' | 't' | 'f' | 'r' | '/' | ' ' => 4.6,
        'm' | 'w' => 10.0,
        _ => 7.0,
    };
    text.chars().map(of).sum::<f64>().ceil()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_says_what_it_shows() {
        let counts =
            VerdictCounts { reproduced: 3, partly: 1, not_at_this_scale: 0, not_tested: 0 };
        let svg = draw(Some(&counts));
        assert!(svg.contains("<title>Pressrun: 3 reproduced, 1 partly</title>"), "{svg}");
        assert!(svg.contains(">3/4</text>") && svg.contains(colour(Outcome::Partly)), "{svg}");
        assert!(draw(None).contains(">not run yet</text>"));
    }
}
