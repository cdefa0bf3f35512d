//! Papers, lists and searches in the formats of other programs, and how programs find them.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use crate::site::{Answer, HOST, TestSite, settings};
use crate::{demo, html};

/// Every extension with its type and a text that stands in every such document.
const FORMATS: [(&str, &str, &str); 6] = [
    (".bib", "application/x-bibtex; charset=utf-8", "@"),
    (".ris", "application/x-research-info-systems; charset=utf-8", "TY  - "),
    (".csl.json", "application/vnd.citationstyles.csl+json", "\"type\""),
    (".md", "text/markdown; charset=utf-8", "# "),
    (".atom", "application/atom+xml; charset=utf-8", "<feed "),
    (".feed.json", "application/feed+json", "https://jsonfeed.org/version/1.1"),
];

async fn with_headers(site: &TestSite, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).header("host", HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_list_search_and_paper_has_every_format_and_is_confirmed_afterwards() {
    let site = TestSite::new().await.with_record().await.indexed().await;
    for (place, query) in [
        ("/daily", ""),
        ("/papers/date/2025-09-09", "?sort=title"),
        ("/papers/week/2025-W37", ""),
        ("/papers/month/2025-09", "?page=1"),
        ("/papers/all", "?sort=votes"),
        ("/papers/trending", ""),
        ("/search", "?q=heavy+ball"),
        ("/search", "?q=author%3A%22Ada+Example%22"),
        ("/search", "?q=tag%3Aoptimisers"),
        ("/papers/9909.00001", ""),
        ("/papers/soft-stop", ""),
    ] {
        for (extension, mime, sign) in FORMATS {
            let path = format!("{place}{extension}{query}");
            let answer = site.get(&path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
            assert_eq!(answer.header("content-type"), mime, "{path}");
            assert!(answer.body.contains(sign), "{path}: {}", answer.body);
            let tag = answer.header("etag").to_owned();
            assert!(tag.starts_with('"'), "{path}: a strong tag, not {tag}");
            let again = with_headers(&site, &path, &[("if-none-match", &tag)]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
            assert!(again.body.is_empty() && again.header("etag") == tag, "{path}");
            let since = answer.header("last-modified").to_owned();
            if since.is_empty() {
                // A paper without a record has no verdicts that could have changed.
                assert!(place == "/papers/soft-stop", "{path}");
                continue;
            }
            let again = with_headers(&site, &path, &[("if-modified-since", &since)]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
            let old = [("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT")];
            assert_eq!(with_headers(&site, &path, &old).await.status, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn what_changes_gets_another_tag() {
    let site = TestSite::new().await;
    for path in ["/papers/all.atom", "/papers/9909.00001.md", "/papers/9909.00001.atom"] {
        assert_eq!(site.get(path).await.status, StatusCode::OK, "{path}");
    }
    let before = site.get("/papers/all.atom").await;
    let site = site.with_record().await;
    let tag = before.header("etag");
    let after = with_headers(&site, "/papers/all.atom", &[("if-none-match", tag)]).await;
    assert_eq!(after.status, StatusCode::OK);
    assert!(after.body.contains("1/4 claims reproduced"), "{}", after.body);
    let compressed = with_headers(&site, "/robots.txt", &[("accept-encoding", "identity")]).await;
    assert!(!compressed.header("etag").contains("gzip"));
}

#[tokio::test]
async fn a_compressed_answer_has_a_tag_of_its_own() {
    let site = TestSite::new().await;
    let request = Request::get("/papers/all.bib").header("host", HOST);
    let request = request.header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let answer = site.send(request).await;
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.ends_with("-gzip\""), "{tag}");
    let headers = [("if-none-match", tag.as_str()), ("accept-encoding", "gzip")];
    let again = with_headers(&site, "/papers/all.bib", &headers).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_paper_in_each_format() {
    let site = TestSite::new().await.with_record().await;
    let get =
        async |extension: &str| site.get(&format!("/papers/9909.00001{extension}")).await.body;
    let bib = get(".bib").await;
    for line in [
        "@misc{9909.00001,",
        "  title = {The Heavy Ball Revisited: Momentum on Ill-Conditioned Quadratics},",
        "  author = {Ada Example and Boris Beispiel and Chiara Esempio},",
        "  eprint = {9909.00001},",
        "  archivePrefix = {arXiv},",
        "  primaryClass = {math.OC},",
        "  url = {https://arxiv.org/abs/9909.00001},",
        "  year = {2024},",
        "  month = may,",
    ] {
        assert!(bib.lines().any(|own| own == line), "{line}\n{bib}");
    }
    let ris = get(".ris").await;
    for line in ["TY  - UNPB", "AU  - Example, Ada", "DA  - 2024/05/17/", "ER  - "] {
        assert!(ris.split("\r\n").any(|own| own == line), "{line}\n{ris}");
    }
    let markdown = get(".md").await;
    for text in [
        "# The Heavy Ball Revisited",
        "- Authors: Ada Example, Boris Beispiel, Chiara Esempio",
        "- Published: 2024-05-17",
        "## Abstract",
        "### C1: reproduced",
        "### C4: not tested",
        "| check | measured | against | margin | needed | holds |",
        "heavy ball: ",
        "- Page: <http://papers.example/papers/9909.00001>",
    ] {
        assert!(markdown.contains(text), "{text}\n{markdown}");
    }
    let page = site.get_as("/papers/9909.00001", "text/markdown").await;
    assert_eq!(page.body, markdown);
    assert!(page.header("vary").contains("accept"), "{}", page.header("vary"));
    assert!(site.get("/papers/9909.00001").await.body.starts_with("<!DOCTYPE html>"));
    let feed = get(".atom").await;
    assert_eq!(feed.matches("<entry>").count(), 1, "{feed}");
    assert!(feed.contains("1/4 claims reproduced"), "{feed}");
    let all = site.get("/verdicts.atom").await;
    assert_eq!(all.body.matches("<entry>").count(), 1);
    let json = site.get("/verdicts.feed.json").await.json();
    assert_eq!(json["items"][0]["url"], "http://papers.example/papers/9909.00001");
}

#[tokio::test]
async fn the_study_is_a_second_name_in_every_format() {
    let site = TestSite::new().await;
    let answer = site.get("/papers/heavy-ball.csl.json").await;
    assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.header("location"), "/papers/9909.00001.csl.json");
}

#[tokio::test]
async fn wrong_addresses_say_what_would_be_right() {
    let site = TestSite::new().await.indexed().await;
    for (path, status, text) in [
        ("/papers/none.bib", 404, "There is no paper `none` here."),
        ("/papers/date/2025-99-99.bib", 400, "a day such as `2025-09-09`"),
        ("/papers/all.ris?page=2", 404, "there is no page 2"),
        ("/papers/all.ris?sort=best", 400, "is no sort order"),
        ("/search.bib", 400, "some words or conditions"),
        ("/search.atom?q=%22", 400, "The query cannot be read"),
        ("/search.atom?q=ball&page=9", 404, "there is no page 9"),
        ("/unapi?format=ris", 400, "the id of a paper"),
        ("/unapi?id=none", 404, "There is no paper `none` here."),
        ("/unapi?id=9909.00001&format=marc", 406, "Not Acceptable"),
        ("/sitemaps/0.xml", 404, "site map"),
        ("/sitemaps/9.xml", 404, "site map"),
        ("/api/suggest?q=a&form=x", 400, "`opensearch`, or none at all"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        assert!(answer.body.contains(text), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn absolute_addresses_begin_as_set_else_as_asked() {
    let site = TestSite::new().await;
    assert!(site.get("/daily.atom").await.body.contains("http://papers.example/papers/9909.00001"));
    for host in ["evil.example/x", "a b", "\"><script>"] {
        let request = Request::get("/daily.atom").header("host", host);
        let answer = site.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{host}");
        assert!(answer.body.contains("is no host"), "{}", answer.body);
    }
    let public_url = Some("https://daily.example".to_owned());
    let own = TestSite::with_settings(pressrun_web::Settings { public_url, ..settings() }).await;
    let feed = own.get("/daily.atom").await.body;
    assert!(feed.contains("https://daily.example/papers/9909.00001"), "{feed}");
    let ids = |feed: &str| {
        let ids = feed.split("<id>").skip(1).filter_map(|rest| rest.split("</id>").next());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    let here = site.get("/daily.atom").await.body;
    assert_eq!(ids(&feed), ids(&here), "ids do not depend on the address");
}

#[tokio::test]
async fn pages_lead_to_their_formats() {
    let site = TestSite::new().await.with_record().await.indexed().await;
    for (path, atom, bib) in [
        ("/", "/daily.atom", "/papers/date/2025-09-09.bib"),
        ("/papers/trending", "/papers/trending.atom", "/papers/trending.bib"),
        ("/papers/all?sort=title", "/papers/all.atom?sort=title", "/papers/all.bib?sort=title"),
        ("/search?q=ball", "/search.atom?q=ball", "/search.bib?q=ball"),
        ("/papers/9909.00001", "/papers/9909.00001.atom", "/papers/9909.00001.bib"),
    ] {
        let page = site.page(path).await;
        let elements = html::elements(&page);
        for (address, mime) in [(atom, "application/atom+xml"), (bib, "application/x-bibtex")] {
            let of =
                |name| elements.iter().filter(move |e| e.name == name && e.get("href") == address);
            let link = of("link").next().unwrap_or_else(|| panic!("{path}: {address}"));
            assert_eq!((link.get("rel"), link.get("type")), ("alternate", mime), "{path}");
            assert_eq!(of("a").count(), 1, "{path}: {address}");
        }
        let meta = |name: &str| {
            let found = elements.iter().find(|e| e.get("property") == name);
            found.map(|e| e.get("content").to_owned()).unwrap_or_default()
        };
        assert!(!meta("og:title").is_empty(), "{path}");
        if path != "/search?q=ball" {
            assert!(meta("og:url").starts_with("http://papers.example/"), "{path}");
        }
        assert!(elements.iter().any(|e| e.get("class") == "unapi-id"), "{path}");
    }
}

#[tokio::test]
async fn a_paper_tells_reference_managers_what_it_is() {
    let site = TestSite::new().await;
    let page = site.page("/papers/9909.00001").await;
    let elements = html::elements(&page);
    let all = |name: &str| {
        let named = elements.iter().filter(|e| e.name == "meta" && e.get("name") == name);
        named.map(|e| e.get("content").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all("z:itemType"), ["preprint"]);
    assert_eq!(all("citation_author"), ["Ada Example", "Boris Beispiel", "Chiara Esempio"]);
    assert_eq!(all("citation_publication_date"), ["2024/05/17"]);
    assert_eq!(all("citation_arxiv_id"), ["9909.00001"]);
    assert_eq!(all("citation_pdf_url"), ["https://arxiv.org/pdf/9909.00001"]);
    assert!(site.page("/papers/9909.66666").await.contains("&lt;script&gt;"));
}

#[tokio::test]
async fn unapi_offers_and_hands_out() {
    let site = TestSite::new().await;
    let offer = site.get("/unapi").await;
    assert_eq!(offer.header("content-type"), "application/xml; charset=utf-8");
    for name in ["bibtex", "ris", "csl"] {
        assert!(offer.body.contains(&format!("<format name=\"{name}\" type=")), "{}", offer.body);
    }
    let choice = site.get("/unapi?id=9909.00001").await;
    assert_eq!(choice.status, StatusCode::MULTIPLE_CHOICES);
    assert!(choice.body.contains("<formats id=\"9909.00001\">"), "{}", choice.body);
    let bib = site.get("/unapi?id=9909.00001&format=bibtex").await;
    assert_eq!(bib.body, site.get("/papers/9909.00001.bib").await.body);
}

#[tokio::test]
async fn crawlers_and_browsers_find_their_way() {
    let site = TestSite::new().await.with_papers(10_050, "2025-09-10").await.indexed().await;
    let robots = site.get("/robots.txt").await.body;
    assert!(robots.contains("Sitemap: http://papers.example/sitemap.xml"), "{robots}");
    let index = site.get("/sitemap.xml").await.body;
    let maps: Vec<&str> =
        index.split("<loc>").skip(1).filter_map(|rest| rest.split("</loc>").next()).collect();
    assert_eq!(maps.len(), 3, "{index}");
    let mut papers = std::collections::BTreeSet::new();
    for map in &maps {
        let body = site.get(map.strip_prefix("http://papers.example").unwrap()).await.body;
        let locations = body.split("<loc>").skip(1).filter_map(|r| r.split("</loc>").next());
        papers.extend(locations.filter(|l| l.contains("/papers/")).map(str::to_owned));
    }
    // The lists of all and of trending papers are pages, not papers.
    assert_eq!(papers.len(), 10_050 + 3 + 2);
    let description = site.get("/opensearch.xml").await;
    assert_eq!(description.header("content-type"), "application/opensearchdescription+xml");
    let template =
        "template=\"http://papers.example/search.atom?q={searchTerms}&amp;page={startPage?}\"";
    assert!(description.body.contains(template), "{}", description.body);
    let suggested = site.get("/api/suggest?form=opensearch&q=heavy").await;
    assert_eq!(suggested.header("content-type"), "application/x-suggestions+json");
    assert_eq!(suggested.json()[0], "heavy");
    assert_eq!(
        suggested.json()[1][0],
        "The Heavy Ball Revisited: Momentum on Ill-Conditioned Quadratics"
    );
}

#[tokio::test]
async fn a_badge_for_elsewhere() {
    let site = TestSite::new().await;
    let path = format!("/papers/{}/badge.svg", demo::ID);
    assert!(site.get(&path).await.body.contains("not run yet"));
    let site = site.with_record().await;
    let badge = site.get(&path).await;
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    assert!(badge.body.contains(">1/4</text>"), "{}", badge.body);
    let tag = badge.header("etag").to_owned();
    let again = with_headers(&site, &path, &[("if-none-match", &tag)]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(site.get("/papers/none/badge.svg").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_picture_for_other_sites_that_changes_with_the_verdicts() {
    let site = TestSite::new().await;
    let page = site.page("/papers/9909.00001").await;
    let path = "/papers/9909.00001/og.png";
    let address = format!("<meta property=\"og:image\" content=\"http://papers.example{path}\">");
    assert!(page.contains(&address), "{page}");
    let tag = async |site: &TestSite| {
        let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
        let answer = site.send(request).await;
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (StatusCode::OK, &"image/png".parse().unwrap())
        );
        answer.headers()["etag"].to_str().unwrap().to_owned()
    };
    let before = tag(&site).await;
    assert_eq!(tag(&site).await, before, "from the cache");
    let again = with_headers(&site, path, &[("if-none-match", &before)]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    let site = site.with_record().await;
    assert_ne!(tag(&site).await, before);
}

#[tokio::test]
async fn feeds_go_on_in_pages() {
    let site = TestSite::new().await.with_papers(230, "2025-09-10").await;
    let mut seen = std::collections::BTreeSet::new();
    let mut next = Some("/papers/date/2025-09-10.feed.json".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let feed = site.get(&path).await.json();
        let items = feed["items"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let address = feed["next_url"].as_str().map(str::to_owned);
        next = address.map(|a| a.strip_prefix("http://papers.example").unwrap().to_owned());
        pages += 1;
    }
    assert_eq!((seen.len(), pages), (230, 3));
    let bib = site.get("/papers/date/2025-09-10.bib").await.body;
    assert_eq!(bib.matches("@misc{").count(), 230);
}
