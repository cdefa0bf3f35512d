//! The interfaces for programs as a page.

use maud::{Markup, html};
use serde_json::Value;

use super::text;
use crate::view::{Nav, Page, link};

/// The page.
pub(super) fn page(document: &Value) -> Markup {
    let groups = groups(document);
    let body = html! {
        div.prose {
            h1 { "For programs" }
            p.lead {
                "Papers in the form of the Hugging Face papers API, so that its clients work here; "
                "studies, runs and records."
            }
            ul {
                li { a href="/api/openapi.json" { "OpenAPI description" } ", made from the handlers" }
                li { a href="/record.schema.json" { "JSON Schema of a record" } }
                li { "Official client: " code { "HF_ENDPOINT=http://HOST:PORT hf papers ls" } }
                li { "Models that read and run papers: " code { "pressrun mcp --data DIR" } }
            }
            p {
                "An answer that is no success is " code { r#"{"error": "...", "status": 404}"# }
                " with that status."
            }
            @for (name, operations) in &groups {
                h2 { (name) }
                @for operation in operations { (section(operation)) }
            }
        }
    };
    Page::new("For programs", Nav::Elsewhere, body).render()
}

struct Operation<'a> {
    method: String,
    path: &'a str,
    value: &'a Value,
}

/// Operations by tag, in the order of the document.
fn groups(document: &Value) -> Vec<(&str, Vec<Operation<'_>>)> {
    let mut groups: Vec<(&str, Vec<Operation<'_>>)> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, value) in methods.as_object().into_iter().flatten() {
            let tag = value["tags"][0].as_str().unwrap_or("Other");
            let operation = Operation { method: method.to_uppercase(), path, value };
            match groups.iter_mut().find(|(name, _)| *name == tag) {
                Some((_, operations)) => operations.push(operation),
                None => groups.push((tag, vec![operation])),
            }
        }
    }
    groups
}

fn section(operation: &Operation<'_>) -> Markup {
    let Operation { method, path, value } = operation;
    let parameters = value["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    html! {
        h3 id=(link::anchor(&format!("{method}{path}"))) { code { (method) " " (path) } }
        p { strong { (text(value, "summary")) "." } " " (text(value, "description")) }
        @if !parameters.is_empty() {
            dl {
                @for parameter in parameters {
                    dt { code { (text(parameter, "name")) } }
                    dd { (text(parameter, "description")) "." }
                }
            }
        }
        p.fine {
            "Answers: "
            @for (at, (status, answer)) in
                value["responses"].as_object().into_iter().flatten().enumerate()
            {
                @if at > 0 { "; " }
                code { (status) } " " (text(answer, "description"))
            }
            "."
        }
    }
}
