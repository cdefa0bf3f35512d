//! One paper at a time.

use pressrun_catalog::Reference;
use pressrun_harvest::{Error, Lookup};

use crate::support::{Reply, Request, Server, TestClock, fetcher};

const ENTRY: &str = r#"<feed xmlns="http://www.w3.org/2005/Atom"><entry>
    <id>http://arxiv.org/abs/2301.10909v1</id><title>Gates that open</title>
    <published>2023-01-26T00:00:00Z</published><summary>We open.</summary>
    <author><name>Ada King</name></author></entry></feed>"#;
const ERROR: &str = r#"<feed xmlns="http://www.w3.org/2005/Atom"><entry>
    <id>http://arxiv.org/api/errors#x</id><title>Error</title><summary>no such id</summary></entry></feed>"#;

fn answer(request: &Request) -> Reply {
    let target = request.target.as_str();
    let csl = request.has("accept: application/vnd.citationstyles.csl+json");
    match target {
        _ if target.contains("id_list=2301.10909") => Reply::ok(ENTRY),
        _ if target.contains("id_list=") => Reply::ok(ERROR),
        // Where it leads without the form that is asked for is a page for people.
        "/doi/10.1/a%3Fb" if csl => Reply::with(302, "location: /registrar"),
        "/registrar" if csl => Reply::ok(r#"{"title": "Doors", "author": [{"family": "Born"}]}"#),
        "/says-arxiv" => Reply::ok(
            "<meta name=citation_title content='A false title'>\
             <meta name=citation_arxiv_id content='2301.10909'>",
        ),
        "/says-little" => Reply::ok("<meta name=citation_title content='Windows'>"),
        "/says-nothing" => Reply::ok("<p>Hello</p>"),
        "/inside" => Reply::with(302, "location: http://metadata.test/latest"),
        _ => Reply::status(404),
    }
}

fn lookup(server: &Server) -> Lookup {
    let lookup = Lookup::new(fetcher(server, &TestClock::new()));
    let (arxiv, doi) = (server.url("/api/query"), server.url("/doi/"));
    lookup.with_servers(Some(arxiv.as_str()), Some(doi.as_str())).unwrap()
}

#[tokio::test]
async fn whoever_gives_out_the_ids_is_asked() {
    let server = Server::start(|_, request| answer(request));
    let lookup = lookup(&server);
    let find = async |text: &str| lookup.look_up(&text.parse::<Reference>().unwrap()).await;
    let arxiv = find("arXiv:2301.10909v3").await.unwrap().unwrap();
    assert!(arxiv.vouched);
    assert_eq!(arxiv.paper.title, "Gates that open");
    assert_eq!(find("2301.00001").await.unwrap(), None);
    let doi = find("10.1/A?b").await.unwrap().unwrap();
    assert!(doi.vouched);
    assert_eq!((doi.paper.title.as_str(), doi.paper.doi.as_deref()), ("Doors", Some("10.1/a?b")));
    assert_eq!(find("10.1/none").await.unwrap(), None);
}

#[tokio::test]
async fn what_a_page_says_is_a_draft_unless_it_states_an_id() {
    let server = Server::start(|_, request| answer(request));
    let lookup = lookup(&server);
    let find = async |path: &str| {
        let reference: Reference = server.url(path).as_str().parse().unwrap();
        lookup.look_up(&reference).await
    };
    // Not what the page says, but what arXiv says of the id that the page states.
    let stated = find("/says-arxiv").await.unwrap().unwrap();
    assert_eq!((stated.paper.title.as_str(), stated.vouched), ("Gates that open", true));
    let little = find("/says-little").await.unwrap().unwrap();
    assert_eq!((little.paper.title.as_str(), little.vouched), ("Windows", false));
    assert!(matches!(find("/says-nothing").await, Err(Error::Source { .. })));
    assert_eq!(find("/nowhere").await.unwrap(), None);
    // Nobody is led into the network that the site is in.
    let error = find("/inside").await.unwrap_err();
    assert!(matches!(error, Error::Private { .. }), "{error}");
    let own: Reference = "http://10.0.0.1/admin".parse().unwrap();
    let error = lookup.look_up(&own).await.unwrap_err();
    assert!(matches!(error, Error::Private { .. }), "{error}");
}
