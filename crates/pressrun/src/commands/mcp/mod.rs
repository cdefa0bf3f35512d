//! `pressrun mcp`: the Model Context Protocol on standard input and output, for programs that let a
//! model search, read and run papers.
//!
//! Each line is a JSON-RPC 2.0 message. Standard output carries nothing else; logs go to standard
//! error.

mod tools;

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use pressrun_lab::Cancel;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::tools::{Call, Tools};
use crate::cli::McpArgs;

/// Versions of the protocol that a client may ask for, the newest first. What is used here is the
/// same in all of them.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const INSTRUCTIONS: &str = "Papers of a self-hosted Daily Papers site, many of which run: `run` \
    trains a paper's method beside its baselines on this machine and says, claim by claim, whether \
    it was reproduced. Search or list for ids, read a paper for its claims, then run it, or look at \
    the record of an earlier run.";

/// Codes of JSON-RPC.
const PARSE: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const UNKNOWN_METHOD: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// Answers until standard input closes.
pub async fn mcp(args: McpArgs) -> Result<ExitCode> {
    let tools = Arc::new(Tools::open(&args).await?);
    let mut lines = lines();
    let mut server = Server { tools, calls: Arc::default(), tasks: JoinSet::new() };
    while let Some(line) = lines.recv().await {
        server.take(&line);
        while server.tasks.try_join_next().is_some() {}
    }
    // Nobody waits for a run any more; what is short is still answered.
    server.calls.cancel_all();
    while server.tasks.join_next().await.is_some() {}
    Ok(ExitCode::SUCCESS)
}

/// The lines of standard input. Reading blocks, so it has a thread of its own.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if !line.trim().is_empty() && sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Calls that go on, each with what stops it.
#[derive(Debug, Default)]
struct Calls(Mutex<HashMap<String, Cancel>>);

impl Calls {
    fn begin(&self, id: &Value) -> Cancel {
        let cancel = Cancel::default();
        self.lock().insert(id.to_string(), cancel.clone());
        cancel
    }

    fn end(&self, id: &Value) {
        self.lock().remove(&id.to_string());
    }

    fn cancel(&self, id: &Value) {
        if let Some(cancel) = self.lock().get(&id.to_string()) {
            cancel.cancel();
        }
    }

    fn cancel_all(&self) {
        self.lock().values().for_each(Cancel::cancel);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Cancel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Server {
    tools: Arc<Tools>,
    calls: Arc<Calls>,
    tasks: JoinSet<()>,
}

impl Server {
    fn take(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return send(&failure(&Value::Null, PARSE, "the line is no JSON"));
        };
        let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
        let Some(method) = message["method"].as_str() else {
            // An answer is to nothing that was asked here.
            if message.get("result").is_none() && message.get("error").is_none() {
                let id = id.unwrap_or_default();
                send(&failure(&id, INVALID_REQUEST, "a request has `jsonrpc`, `id` and `method`"));
            }
            return;
        };
        match id {
            Some(id) => self.answer(&id, method, &message["params"]),
            None if method == "notifications/cancelled" => {
                self.calls.cancel(&message["params"]["requestId"]);
            }
            // Other notifications ask for nothing.
            None => {}
        }
    }

    fn answer(&mut self, id: &Value, method: &str, params: &Value) {
        match method {
            "initialize" => send(&success(id, initialized(params))),
            "ping" => send(&success(id, json!({}))),
            "tools/list" => send(&success(id, json!({ "tools": tools::described() }))),
            "tools/call" => self.call(id.clone(), params),
            _ => send(&failure(id, UNKNOWN_METHOD, &format!("there is no method `{method}` here"))),
        }
    }

    fn call(&mut self, id: Value, params: &Value) {
        let arguments = params.get("arguments").cloned().unwrap_or_else(|| json!({}));
        let name = params["name"].as_str().unwrap_or_default();
        let call = match Call::read(name, arguments) {
            Ok(call) => call,
            Err(error) => return send(&failure(&id, INVALID_PARAMS, &error)),
        };
        let (tools, calls) = (Arc::clone(&self.tools), Arc::clone(&self.calls));
        let token = params["_meta"].get("progressToken").cloned();
        let cancel = calls.begin(&id);
        self.tasks.spawn(async move {
            let progress = move |done: u64, total: u64| {
                if let Some(token) = &token {
                    let params =
                        json!({ "progressToken": token, "progress": done, "total": total });
                    send(&json!({
                        "jsonrpc": "2.0", "method": "notifications/progress", "params": params,
                    }));
                }
            };
            let answer = tools.call(call, &cancel, progress).await;
            calls.end(&id);
            // A client that has taken its request back waits for no answer.
            if !cancel.is_cancelled() {
                send(&success(&id, result(answer)));
            }
        });
    }
}

fn initialized(params: &Value) -> Value {
    let asked = params["protocolVersion"].as_str().unwrap_or_default();
    let version = VERSIONS.into_iter().find(|version| *version == asked).unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": { "listChanged": false } },
        "serverInfo": {
            "name": "pressrun", "title": "Pressrun", "version": env!("CARGO_PKG_VERSION"),
        },
        "instructions": INSTRUCTIONS,
    })
}

/// What a tool answered. Its failure is a result too: the model reads it and tries otherwise.
fn result(answer: Result<(String, Option<Value>)>) -> Value {
    match answer {
        Ok((text, structured)) => {
            let mut result = json!({ "content": [{ "type": "text", "text": text }] });
            if let Some(structured) = structured {
                result["structuredContent"] = structured;
            }
            result
        }
        Err(error) => {
            let text = format!("{error:#}");
            json!({ "content": [{ "type": "text", "text": text }], "isError": true })
        }
    }
}

fn success(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn failure(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// Writes a message as one line, whole.
fn send(message: &Value) {
    let mut output = std::io::stdout().lock();
    // A client that is gone has closed standard input as well: that ends the program.
    let _ = writeln!(output, "{message}").and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_both_know() {
        let agreed = |asked: &str| initialized(&json!({ "protocolVersion": asked }));
        assert_eq!(agreed("2025-03-26")["protocolVersion"], "2025-03-26");
        assert_eq!(agreed("1999-01-01")["protocolVersion"], VERSIONS[0]);
    }
}
