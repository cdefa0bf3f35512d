//! The OpenAPI description: what the handlers say of themselves, with what all of them share.

use std::borrow::Cow;

use pressrun_lab::Record;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Methods that a path can have in the document.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

macro_rules! known {
    ($($(#[$doc:meta])* $marker:ident = $name:literal;)*) => { $(
        $(#[$doc])*
        pub(crate) struct $marker;

        impl PartialSchema for $marker {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().into()
            }
        }

        impl ToSchema for $marker {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )* };
}

known! {
    /// Stands for [`Record`], whose schema is known already and takes the place of this one.
    RecordSchema = "Record";
    /// Stands for a verdict, which is part of a record.
    VerdictSchema = "Verdict";
}

/// `quick` or `full`.
pub(crate) fn profile() -> Schema {
    words(&["quick", "full"])
}

/// How a run stands.
pub(crate) fn state() -> Schema {
    words(&["queued", "running", "finished", "failed", "cancelled", "interrupted"])
}

fn words(words: &[&str]) -> Schema {
    let object = ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
    object.enum_values(Some(words.iter().copied())).into()
}

/// The whole document.
pub(super) fn document(described: OpenApi) -> Value {
    // Only a document that cannot be written would fail, and it is made of strings and numbers.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    document["info"] = json!({
        "title": "Pressrun",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Papers, in the form of the Hugging Face papers API; studies, runs and \
                        records. An answer that is no success is a `Problem`.",
        "license": { "name": "MIT OR Apache-2.0" },
    });
    let schemas = &mut document["components"]["schemas"];
    for (name, schema) in record_schemas() {
        schemas[name] = schema;
    }
    share(&mut document);
    document
}

/// A record's schema and those within it, each under its name.
fn record_schemas() -> Vec<(String, Value)> {
    // Its references lead into the schema itself; here they lead beside it.
    let text = Record::json_schema().to_string().replace("#/$defs/", "#/components/schemas/");
    let mut whole: Value = serde_json::from_str(&text).unwrap_or_default();
    let within = whole.as_object_mut().and_then(|schema| {
        schema.remove("$schema");
        schema.remove("$defs")
    });
    let mut schemas: Vec<(String, Value)> = match within {
        Some(Value::Object(within)) => within.into_iter().collect(),
        _ => Vec::new(),
    };
    schemas.push(("Record".into(), whole));
    schemas
}

/// Adds to every operation what the layers around it can answer.
fn share(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for path in paths.values_mut() {
        for method in METHODS {
            let Some(operation) = path.get_mut(method) else { continue };
            let mut add = |status: &str, description: &str| {
                if operation["responses"].get(status).is_none() {
                    operation["responses"][status] = problem(description);
                }
            };
            add("400", "The request cannot be read");
            add("500", "Something went wrong here");
            if method != "get" {
                add("403", "The request came from a page of another site");
                add("413", "The body is too large");
            }
        }
    }
}

fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": {
            "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } }
        },
    })
}
