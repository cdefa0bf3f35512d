//! What programs look for to find their way: robots, site maps, `OpenSearch`, unAPI.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;

use super::formats;
use crate::format::Format;
use crate::format::feed::moment;
use crate::format::xml::Xml;
use crate::site::Shared;
use crate::view::link;
use crate::{Error, Result, fresh};

/// Papers of a site map. The protocol takes 50,000 addresses; this many are made in a few
/// milliseconds.
const PER_MAP: u32 = 10_000;
const MAPS: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";
const XML: &str = "application/xml; charset=utf-8";

/// Pages beside those of papers.
const PAGES: [&str; 6] =
    ["/", "/papers/all", "/papers/trending", "/studies", "/methodology", "/subscribe"];

/// Formats of unAPI with the names by which it knows them.
const UNAPI: [(&str, Format); 3] =
    [("ris", Format::Ris), ("bibtex", Format::BibTex), ("csl", Format::Csl)];

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/robots.txt", get(robots))
        .route("/sitemap.xml", get(maps))
        .route("/sitemaps/{name}", get(map))
        .route("/opensearch.xml", get(opensearch))
        .route("/unapi", get(unapi))
}

/// Programs may read everything. Some things are not worth a crawler's time: the streams of runs, every
/// list once more in every order, and pages that need a token.
async fn robots(State(site): State<Shared>, headers: HeaderMap) -> Result<Response> {
    let base = site.base(&headers)?;
    let text = format!(
        "User-agent: *\nDisallow: /runs/*/events\nDisallow: /metrics\nDisallow: /digest/\nDisallow: /*?sort=\n\n\
         Sitemap: {base}/sitemap.xml\n"
    );
    Ok(fresh::answer(&headers, "text/plain; charset=utf-8", text, None))
}

/// The index: a map of pages, and as many of papers as it takes.
async fn maps(State(site): State<Shared>, headers: HeaderMap) -> Result<Response> {
    let base = site.base(&headers)?;
    let papers = site.catalog.count_papers().await?;
    let mut xml = Xml::new();
    xml.open("sitemapindex", &[("xmlns", MAPS)]);
    let names = (1..=papers.div_ceil(u64::from(PER_MAP))).map(|number| number.to_string());
    for name in std::iter::once("pages".to_owned()).chain(names) {
        xml.open("sitemap", &[]);
        xml.text("loc", &[], &format!("{base}/sitemaps/{name}.xml"));
        xml.close("sitemap");
    }
    xml.close("sitemapindex");
    Ok(fresh::answer(&headers, XML, xml.finish(), None))
}

async fn map(
    State(site): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let base = site.base(&headers)?;
    let missing = || Error::NotFound { what: "site map", name: name.clone() };
    let which = name.strip_suffix(".xml").ok_or_else(missing)?;
    let addresses: Vec<(String, Option<Timestamp>)> = if which == "pages" {
        let compared =
            site.library.comparisons().iter().map(|e| link::comparison(&e.manifest.slug));
        let pages = PAGES.iter().map(|page| (*page).to_owned()).chain(compared);
        pages.map(|page| (page, None)).collect()
    } else {
        let plain = !which.starts_with(['0', '+']);
        let number: u64 = which.parse().ok().filter(|_| plain).ok_or_else(missing)?;
        let offset = number.saturating_sub(1).saturating_mul(u64::from(PER_MAP));
        let ids = site.catalog.ids(offset, PER_MAP).await?;
        ids.into_iter().map(|(id, added)| (link::paper(&id), Some(added))).collect()
    };
    if addresses.is_empty() {
        return Err(missing());
    }
    let mut xml = Xml::new();
    xml.open("urlset", &[("xmlns", MAPS)]);
    for (path, added) in &addresses {
        xml.open("url", &[]);
        xml.text("loc", &[], &format!("{base}{path}"));
        if let Some(added) = added {
            xml.text("lastmod", &[], &moment(*added));
        }
        xml.close("url");
    }
    xml.close("urlset");
    let changed = addresses.iter().filter_map(|(_, added)| *added).max();
    Ok(fresh::answer(&headers, XML, xml.finish(), changed))
}

/// How a browser adds this site to its search engines.
async fn opensearch(State(site): State<Shared>, headers: HeaderMap) -> Result<Response> {
    let base = site.base(&headers)?;
    let at = |path: &str| format!("{base}{path}");
    let mut xml = Xml::new();
    xml.open("OpenSearchDescription", &[("xmlns", "http://a9.com/-/spec/opensearch/1.1/")]);
    xml.text("ShortName", &[], "Pressrun");
    xml.text("Description", &[], "Daily Papers in which every paper runs");
    xml.text("InputEncoding", &[], "UTF-8");
    xml.text("Image", &[("type", "image/svg+xml")], &at("/favicon.svg"));
    for (kind, template) in [
        ("text/html", at("/search?q={searchTerms}&page={startPage?}")),
        ("application/atom+xml", at("/search.atom?q={searchTerms}&page={startPage?}")),
        ("application/x-suggestions+json", at("/api/suggest?form=opensearch&q={searchTerms}")),
    ] {
        let rel = if kind.contains("suggestions") { "suggestions" } else { "results" };
        xml.empty("Url", &[("type", kind), ("rel", rel), ("template", &template)]);
    }
    let own = at("/opensearch.xml");
    let kind = "application/opensearchdescription+xml";
    xml.empty("Url", &[("type", kind), ("rel", "self"), ("template", &own)]);
    xml.close("OpenSearchDescription");
    Ok(fresh::answer(&headers, kind, xml.finish(), None))
}

type Pairs = Vec<(String, String)>;

/// Without parameters the formats that there are, with an id those of that paper, with both the paper.
async fn unapi(
    State(site): State<Shared>,
    Query(pairs): Query<Pairs>,
    headers: HeaderMap,
) -> Result<Response> {
    let value = |name: &str| pairs.iter().rev().find(|(own, _)| own == name).map(|(_, v)| &**v);
    let (id, format) = (value("id"), value("format"));
    let Some(id) = id else {
        if format.is_some() {
            let expected = "the id of a paper beside the format, such as `id=2301.10909`";
            return Err(Error::Invalid { what: "id", value: String::new(), expected });
        }
        return Ok(fresh::answer(&headers, XML, choices(None), None));
    };
    let paper = site.catalog.paper(id).await?.ok_or_else(|| Error::no_paper(id))?;
    match format {
        Some(name) => {
            let known = UNAPI.iter().find(|(own, _)| *own == name);
            let (_, format) = known.ok_or(Error::Status(StatusCode::NOT_ACCEPTABLE))?;
            formats::paper(&site, &headers, *format, paper).await
        }
        None => {
            let mut response = fresh::answer(&headers, XML, choices(Some(id)), None);
            // Several representations, as the interface asks for.
            if response.status() == StatusCode::OK {
                *response.status_mut() = StatusCode::MULTIPLE_CHOICES;
            }
            Ok(response)
        }
    }
}

fn choices(id: Option<&str>) -> Vec<u8> {
    let mut xml = Xml::new();
    let id: Vec<(&str, &str)> = id.map(|id| ("id", id)).into_iter().collect();
    xml.open("formats", &id);
    for (name, format) in UNAPI {
        let mime = format.mime().split(';').next().unwrap_or_default();
        xml.empty("format", &[("name", name), ("type", mime)]);
    }
    xml.close("formats");
    xml.finish()
}
