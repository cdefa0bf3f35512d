//! Whatever a file says, pages show it as text.

use pressrun_catalog::import::{Options, import_file};

use crate::site::{TestSite, settings};
use crate::{demo, html};

/// Files of every form, each with one paper that tries to act in its title, abstract and authors.
const FILES: [(&str, &str); 7] = [
    (
        "lines.jsonl",
        r#"{"title": "Gates <script>alert(1)</script>", "abstract": "<img src=x onerror=alert(2)>", "authors": ["<b onclick=alert(3)>Ada</b>"], "venue": "</title><script>alert(4)</script>", "code_url": "javascript:alert(5)", "tags": ["\"><script>alert(6)</script>"]}"#,
    ),
    (
        "daily.json",
        r#"[{"paper": {"id": "2509.00001", "title": "Gates <script>alert(1)</script>", "summary": "<img src=x onerror=alert(2)>", "authors": [{"name": "<b onclick=alert(3)>Ada</b>"}], "githubRepo": "javascript:alert(5)", "projectPage": "javascript:alert(7)", "ai_keywords": ["<script>alert(6)</script>"]}, "publishedAt": "2025-09-09T00:00:00.000Z"}]"#,
    ),
    (
        "feed.atom",
        r#"<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/2509.00001v1</id>
<title>Gates &lt;script&gt;alert(1)&lt;/script&gt;</title><summary type="html">&amp;lt;img src=x onerror=alert(2)&amp;gt;</summary>
<author><name>&lt;b onclick=alert(3)&gt;Ada&lt;/b&gt;</name></author><category term="&quot;&gt;&lt;script&gt;alert(6)&lt;/script&gt;"/>
<link href="javascript:alert(5)"/></entry></feed>"#,
    ),
    (
        "feed.rss",
        r#"<rss version="2.0"><channel><item><title><![CDATA[Gates &lt;script&gt;alert(1)&lt;/script&gt;]]></title>
<description><![CDATA[&lt;img src=x onerror=alert(2)&gt;]]></description><link>javascript:alert(5)</link>
<author>a@example.org (&lt;script&gt;alert(3)&lt;/script&gt;)</author></item></channel></rss>"#,
    ),
    (
        "records.xml",
        r#"<OAI-PMH><ListRecords><record><header><identifier>oai:arXiv.org:2509.00001</identifier></header>
<metadata><arXiv><id>2509.00001</id><title>Gates &lt;script&gt;alert(1)&lt;/script&gt;</title>
<abstract>&lt;img src=x onerror=alert(2)&gt;</abstract><authors><author><keyname>&lt;b onclick=alert(3)&gt;</keyname></author></authors>
<categories>&lt;script&gt;alert(6)&lt;/script&gt;</categories><journal-ref>&lt;/title&gt;&lt;script&gt;alert(4)&lt;/script&gt;</journal-ref></arXiv></metadata></record></ListRecords></OAI-PMH>"#,
    ),
    (
        "papers.bib",
        r#"@article{a, title = {Gates <script>alert(1)</script>}, author = {<b onclick=alert(3)> Ada},
 abstract = {<img src=x onerror=alert(2)>}, journal = {</title><script>alert(4)</script>}, year = 2025, url = {javascript:alert(5)}}"#,
    ),
    (
        "listing.txt",
        "Daily Papers\n\nSep 9\n\nGates <script>alert(1)</script>\n\nWe open gates <img src=x onerror=alert(2)> \
         for tokens and for experts, and they stay open as long as anybody looks.\n",
    ),
];

#[tokio::test]
async fn what_a_file_says_is_text_on_every_page() {
    for (name, text) in FILES {
        let site = TestSite::empty(demo::library(), settings()).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let options = Options { year: Some(2025), ..Options::default() };
        let report = import_file(&site.catalog, &file, &options, &mut |_| {}).await.unwrap();
        assert_eq!(report.added, 1, "{name}: {report:?}");
        site.index().await;
        let paper = site.catalog.list(&Default::default()).await.unwrap().papers.remove(0);
        assert!(paper.title.starts_with("Gates"), "{name}: {paper:?}");
        let own = format!("/papers/{}", paper.id);
        for path in ["/papers/all", &own, "/search?q=gates", "/submit"] {
            let page = site.page(path).await;
            html::check(path, &page);
            for bad in ["<script>alert", "<img src=x", "<b onclick", "href=\"javascript:"] {
                assert!(!page.contains(bad), "{name}, {path}: {bad}");
            }
        }
        for path in ["/papers/all.atom", &format!("{own}.md")] {
            let text = site.get_as(path, "*/*").await.body;
            assert!(!text.contains("<script>alert"), "{name}, {path}: {text}");
        }
    }
}
