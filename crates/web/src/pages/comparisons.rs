//! Comparisons across papers: one page each, from the record that came with the build.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use maud::{Markup, html};
use pressrun_lab::manifest::PlotSpec;
use pressrun_lab::{Entry, Record};

use super::paper::setup;
use crate::chart::Palette;
use crate::site::Shared;
use crate::view::measured::{Measured, section, sections};
use crate::view::{Nav, Page, link, provenance};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/comparisons/{slug}", get(page))
        .route("/comparisons/{slug}/record.json", get(record))
}

fn find<'s>(site: &'s Shared, slug: &str) -> Result<&'s Entry> {
    site.library.comparison(slug).ok_or_else(|| Error::no_comparison(slug))
}

async fn page(State(site): State<Shared>, Path(slug): Path<String>) -> Result<Markup> {
    let entry = find(&site, &slug)?;
    let manifest = &entry.manifest;
    let body = html! {
        article.paper {
            header.paper-head {
                p.kicker { span { "Comparison" } span { (manifest.family) } }
                h1 { (manifest.title) }
            }
            p.lead { (manifest.summary) }
            p { "Made by " code { "pressrun run " (slug) " --profile full" } ", on any machine." }
            @match &entry.record {
                Some(record) => {
                    (section("Plots", &plots(&manifest.plots, record)))
                    (sections(record))
                    @let json = format!("{}/record.json", link::comparison(&slug));
                    (section("This record", &provenance::facts_at(record, &json)))
                }
                None => p.empty { "Nothing has been recorded yet." }
            }
            @if let Some(spec) = &manifest.study {
                (section("What was set", &setup(spec, "elsewhere", "Choices")))
            }
            (section("Source", &provenance::source(&entry.sources)))
        }
    };
    Ok(Page::new(&manifest.title, Nav::Studies, body).render())
}

/// The plots that the comparison declares, in every setting that has both numbers.
fn plots(specs: &[PlotSpec], record: &Record) -> Markup {
    let palette = Palette::of(record);
    let measured = Measured::of(record, &palette);
    html! { @for (at, spec) in specs.iter().enumerate() { (measured.scatters(at, spec)) } }
}

async fn record(State(site): State<Shared>, Path(slug): Path<String>) -> Result<Response> {
    let entry = find(&site, &slug)?;
    let record = entry.record.as_ref().ok_or_else(|| Error::no_comparison(&slug))?;
    Ok(Json(record).into_response())
}
