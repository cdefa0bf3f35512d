//! The official Python client of the Model Context Protocol against `pressrun mcp`.

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use server::{program, wait_for};

/// Calls each tool and prints what came back.
const SCRIPT: &str = r#"
import asyncio, json, sys
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters

program, data = sys.argv[1:]
seen = {}

def shown(result):
    text = "".join(part.text for part in result.content)
    return {"text": text, "value": result.structured_content, "error": result.is_error}

async def main():
    parameters = StdioServerParameters(command=program, args=["mcp", "--data", data])
    async with Client(parameters, read_timeout_seconds=120) as client:
        seen["version"] = client.protocol_version
        seen["tools"] = [tool.model_dump(by_alias=True) for tool in (await client.list_tools()).tools]
        async def call(key, tool, **arguments):
            seen[key] = shown(await client.call_tool(tool, arguments))
        await call("search", "search", query="EvoMoE", limit=3)
        await call("unreadable", "search", query='"open')
        await call("list", "list", period="2025-09-09", sort="title", limit=5)
        await call("read", "read", paper="2112.14397")
        await call("unknown", "read", paper="none")
        done = []
        async def progress(progress, total, message):
            done.append([progress, total])
        result = await client.call_tool("run", {"paper": "optfs", "seeds": 1}, progress_callback=progress)
        seen["run"], seen["progress"] = shown(result), done
        await call("record", "record", run=seen["run"]["value"]["run"], curves=True)
        await call("newest", "record", paper="optfs")
        try:
            await client.call_tool("list", {"limit": 0})
        except MCPError as error:
            seen["refused"] = str(error)

asyncio.run(main())
print(json.dumps(seen))
"#;

#[test]
fn a_client_calls_every_tool() {
    let Some(python) = pressrun_e2e::python() else { return };
    let data = tempfile::tempdir().expect("a folder");
    // The first start puts the papers of this build into the catalogue, the second command indexes.
    let mut first = Command::new(program());
    let first = first.args(["mcp", "--data"]).arg(data.path()).stdin(Stdio::null());
    assert!(first.status().expect("it starts").success(), "it ends with its input");
    let mut index = Command::new(program());
    assert!(index.args(["index", "--data"]).arg(data.path()).status().expect("ran").success());

    let mut client = Command::new(python);
    let client = client.args(["-c", SCRIPT]).arg(program()).arg(data.path());
    let output = client.output().expect("the client starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let names: Vec<&str> = seen["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["search", "list", "read", "run", "record"]);
    for tool in seen["tools"].as_array().unwrap() {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert!(tool["inputSchema"]["properties"].is_object(), "{tool}");
    }
    let text = |key: &str| seen[key]["text"].as_str().unwrap_or_else(|| panic!("{key}: {seen}"));
    for key in ["search", "list", "read", "run", "record", "newest"] {
        assert_eq!(seen[key]["error"], false, "{key}: {}", text(key));
    }
    assert_eq!(seen["search"]["value"]["papers"][0]["id"], "2112.14397");
    assert_eq!(seen["list"]["value"]["total"], 63);
    assert_eq!(seen["list"]["value"]["papers"].as_array().unwrap().len(), 5);
    assert!(text("read").starts_with("# EvoMoE") && text("read").contains("- C1 ("));
    for key in ["unreadable", "unknown"] {
        assert_eq!(seen[key]["error"], true, "{key}");
    }
    assert!(text("unknown").contains("there is no paper `none`"));
    let run = &seen["run"]["value"];
    assert_eq!((&run["slug"], &run["profile"]), (&"optfs".into(), &"quick".into()));
    assert!(!run["rows"].as_array().unwrap().is_empty() && run.get("curves").is_none());
    assert!(text("run").contains("C1 "), "{}", text("run"));
    let progress = seen["progress"].as_array().unwrap();
    assert!(progress.len() > 1, "it says how far it is: {progress:?}");
    assert_eq!(seen["record"]["value"]["rows"], run["rows"]);
    assert!(!seen["record"]["value"]["curves"].as_array().unwrap().is_empty());
    assert_eq!(seen["newest"]["value"]["profile"], "full", "a full record speaks for the paper");
    assert!(seen["refused"].as_str().unwrap().contains("from 1 to 100"), "{seen}");
}

#[test]
fn what_a_client_does_wrong_ends_nothing_and_a_run_can_be_taken_back() {
    let data = tempfile::tempdir().expect("a folder");
    let mut server = Command::new(program());
    let server = server.args(["mcp", "--data"]).arg(data.path());
    let mut server =
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut input = server.stdin.take().expect("piped");
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let mut say = |line: &str| writeln!(input, "{line}").expect("it listens");
    let mut answer = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    for (line, id, code) in [
        ("{", json!(null), -32700),
        ("[]", json!(null), -32600),
        (r#"{"jsonrpc": "2.0", "id": 1}"#, json!(1), -32600),
        (r#"{"jsonrpc": "2.0", "id": "a", "method": "none"}"#, json!("a"), -32601),
        (r#"{"jsonrpc": "2.0", "id": 2, "method": "tools/call"}"#, json!(2), -32602),
        (
            r#"{"jsonrpc": "2.0", "id": 3, "method": "tools/call",
            "params": {"name": "read", "arguments": {"paper": "x", "more": 1}}}"#,
            json!(3),
            -32602,
        ),
    ] {
        say(&line.replace('\n', " "));
        let answer = answer();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{line}");
    }
    // Notifications and answers get none.
    say(r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#);
    say(r#"{"jsonrpc": "2.0", "id": 9, "result": {}}"#);
    let run = json!({
        "jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {
            "name": "run", "arguments": { "paper": "optfs", "profile": "full" },
            "_meta": { "progressToken": "p" },
        },
    });
    say(&run.to_string());
    let progress = answer();
    assert_eq!(progress["method"], "notifications/progress", "{progress}");
    assert_eq!(progress["params"]["progressToken"], "p");
    // Beside a run others are answered; taken back, it ends without an answer.
    say(r#"{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}}"#);
    say(r#"{"jsonrpc": "2.0", "id": 5, "method": "ping"}"#);
    let pong = std::iter::repeat_with(&mut answer).find(|answer| answer.get("id").is_some());
    assert_eq!(pong.expect("an answer"), json!({ "jsonrpc": "2.0", "id": 5, "result": {} }));
    drop(input);
    let status = wait_for("its end", || server.try_wait().expect("a child"));
    assert!(status.success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(!rest.iter().any(|line| line.contains("\"id\":4")), "{rest:?}");
}
