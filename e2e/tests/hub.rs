//! The official client of the Hugging Face papers API, unmodified, against the running site.

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use server::Server;

/// The client with a home of its own, told that this site is the Hub.
struct Client {
    python: PathBuf,
    home: tempfile::TempDir,
    endpoint: String,
}

impl Client {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("HF_ENDPOINT", &self.endpoint)
            .env("HF_HOME", self.home.path())
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .env("HF_HUB_DISABLE_UPDATE_CHECK", "1")
            .env("NO_COLOR", "1")
            .env_remove("HF_TOKEN");
        command
    }

    fn hf(&self, arguments: &[&str]) -> Output {
        let program = self.python.with_file_name("hf");
        self.command(&program).args(arguments).output().expect("the client starts")
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.hf(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hf {arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What `hf papers ...` lists.
    fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["papers"], arguments, &["--format", "json"]].concat();
        let text = self.text(&arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }
}

fn ids(list: &[Value]) -> Vec<&str> {
    list.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn start() -> Option<(Server, tempfile::TempDir, Client)> {
    let python = pressrun_e2e::python()?;
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    server::wait_for("the search index", || {
        (server.get("/api/papers/search?q=experts&limit=1").body.len() > 2).then_some(())
    });
    let home = tempfile::tempdir().expect("a folder");
    let endpoint = format!("http://{}", server.address);
    Some((server, data, Client { python, home, endpoint }))
}

#[test]
fn the_command_line_lists_searches_and_reads() {
    let Some((_server, _data, client)) = start() else { return };
    let all = client.list(&["ls", "--limit", "100"]);
    assert_eq!(all.len(), 63, "the papers of this build");
    assert_eq!(client.list(&["ls"]).len(), 50, "as many as the client asks for by itself");
    for period in [["--date", "2025-09-09"], ["--week", "2025-W37"], ["--month", "2025-09"]] {
        let list = client.list(&["ls", period[0], period[1], "--limit", "100"]);
        assert_eq!(list.len(), 63, "{period:?}");
    }
    assert!(client.list(&["ls", "--date", "2001-01-01"]).is_empty());
    assert_eq!(client.list(&["ls", "--sort", "trending", "--limit", "7"]).len(), 7);
    assert_eq!(ids(&client.list(&["ls", "--sort", "publishedAt", "--limit", "3"])), ids(&all)[..3]);
    assert!(client.list(&["ls", "--submitter", "nobody"]).is_empty());
    let table = client.text(&["papers", "ls", "--limit", "2"]);
    assert!(table.contains(ids(&all)[0]) && table.contains(ids(&all)[1]), "{table}");

    let found = client.list(&["search", "mixture of experts", "--limit", "5"]);
    assert!(!found.is_empty() && found.len() <= 5, "{found:?}");
    let id = "2112.14397";
    assert!(ids(&client.list(&["search", "EvoMoE"])).contains(&id));
    let info = client.text(&["papers", "info", id, "--format", "json"]);
    let info: Value = serde_json::from_str(&info).expect("JSON");
    assert_eq!(info["id"], id);
    assert!(info["title"].as_str().is_some_and(|title| title.contains("EvoMoE")), "{info}");
    let text = client.text(&["papers", "read", id]);
    assert!(text.starts_with("# EvoMoE"), "{text}");
}

#[test]
fn what_is_wrong_is_told_in_the_clients_own_words() {
    let Some((_server, _data, client)) = start() else { return };
    for command in ["info", "read"] {
        let output = client.hf(&["papers", command, "2999.00001"]);
        assert!(!output.status.success());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("Paper '2999.00001' not found on the Hub."), "{command}: {error}");
    }
    for (arguments, right) in [
        (["--date", "yesterday"], "a day such as `2025-09-09`"),
        (["--limit", "1000"], "a number from 1 to 100"),
    ] {
        let output = client.hf(&[&["papers", "ls"], &arguments[..]].concat());
        assert!(!output.status.success());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(right), "{arguments:?}: {error}");
    }
}

/// Prints what the library makes of the answers, for the test to look at.
const SCRIPT: &str = r#"
import json
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, EntryNotFoundError, HfHubHTTPError
from huggingface_hub.utils import get_session
from huggingface_hub.utils._pagination import paginate

api = HfApi()

def shown(paper):
    return {
        "id": paper.id, "title": paper.title, "summary": paper.summary, "upvotes": paper.upvotes,
        "comments": paper.comments, "authors": [author.name for author in paper.authors or []],
        "published": paper.published_at and paper.published_at.isoformat(),
        "submitted": paper.submitted_at and paper.submitted_at.isoformat(),
    }

def refused(call):
    try:
        list(call()) if callable(call) else None
    except HfHubHTTPError as error:
        return [type(error).__name__, error.response.status_code, error.server_message]

pages = [[p.id for p in api.list_daily_papers(date="2025-09-09", p=p, limit=20)] for p in range(5)]
print(json.dumps({
    "daily": [shown(p) for p in api.list_daily_papers(limit=100)],
    "pages": pages,
    "trending": [p.id for p in api.list_daily_papers(sort="trending", week="2025-W37", limit=5)],
    "found": [shown(p) for p in api.list_papers(query="mixture of experts", limit=5)],
    "info": shown(api.paper_info("2112.14397")),
    "read": api.read_paper("2112.14397"),
    "all": [p["paper"]["id"] for p in paginate(api.endpoint + "/api/papers", {"limit": 10}, {})],
    "missing": refused(lambda: [api.paper_info("2999.00001")]),
    "unread": refused(lambda: [api.read_paper("2999.00001")]),
    "wrong": refused(lambda: api.list_daily_papers(limit=0)),
    "empty": refused(lambda: api.list_papers(query="")),
}))
"#;

#[test]
fn the_library_reads_the_same() {
    let Some((server, _data, client)) = start() else { return };
    let output = client.command(&client.python).args(["-c", SCRIPT]).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let daily = seen["daily"].as_array().expect("a list");
    assert_eq!(daily.len(), 63);
    for paper in daily {
        assert!(!paper["authors"].as_array().expect("authors").is_empty(), "{paper}");
        assert!(!paper["summary"].as_str().expect("an abstract").is_empty(), "{paper}");
        assert_eq!((&paper["upvotes"], &paper["comments"]), (&0.into(), &0.into()), "{paper}");
    }
    let pages: Vec<Vec<&str>> =
        seen["pages"].as_array().into_iter().flatten().map(|page| texts(page)).collect();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 20, 3, 0]);
    assert_eq!(pages.concat().into_iter().collect::<BTreeSet<_>>().len(), 63, "no paper twice");
    assert_eq!(seen["trending"].as_array().expect("a list").len(), 5);
    assert!(!seen["found"].as_array().expect("a list").is_empty());
    assert_eq!(seen["all"].as_array().expect("a list").len(), 63, "by following links");
    let info = &seen["info"];
    let raw = server.get("/api/papers/2112.14397").body;
    let raw: Value = serde_json::from_str(&raw).expect("JSON");
    assert_eq!((&info["title"], &info["summary"]), (&raw["title"], &raw["summary"]));
    assert_eq!(info["authors"][0], raw["authors"][0]["name"]);
    assert_eq!(info["submitted"], "2025-09-09T00:00:00+00:00");
    let day = &raw["published"].as_str().expect("a date")[..10];
    assert_eq!(info["published"], format!("{day}T00:00:00+00:00"));
    assert!(seen["read"].as_str().expect("text").starts_with("# EvoMoE"));
    assert_eq!(seen["missing"][0], "RemoteEntryNotFoundError");
    for name in ["missing", "unread"] {
        assert_eq!(seen[name][1], 404, "{name}");
        assert_eq!(seen[name][2], "There is no paper `2999.00001` here.", "{name}");
    }
    for name in ["wrong", "empty"] {
        assert_eq!((&seen[name][0], &seen[name][1]), (&"BadRequestError".into(), &400.into()));
    }
    assert!(seen["wrong"][2].as_str().expect("text").contains("a number from 1 to 100"));
}
