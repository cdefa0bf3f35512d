//! What the registrars of DOIs say about one: CSL-JSON.

use pressrun_catalog::NewPaper;
use pressrun_catalog::import::plain_text;
use serde::Deserialize;
use serde_json::Value;

/// The media type by which it is asked for.
pub(crate) const CSL: &str = "application/vnd.citationstyles.csl+json";

/// The fields that a paper has. Those that registrars write in two forms, as a text or as a list of
/// texts, are values.
#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    title: Value,
    #[serde(default)]
    author: Vec<Name>,
    #[serde(default)]
    issued: Dated,
    #[serde(default, rename = "container-title")]
    container: Value,
    #[serde(default, rename = "abstract")]
    summary: Option<String>,
}

#[derive(Deserialize)]
struct Name {
    given: Option<String>,
    family: Option<String>,
    suffix: Option<String>,
    #[serde(alias = "name")]
    literal: Option<String>,
}

#[derive(Deserialize, Default)]
struct Dated {
    #[serde(default, rename = "date-parts")]
    parts: Vec<Vec<Value>>,
}

/// The paper of that DOI; the reason if the text says nothing of one.
pub(crate) fn paper(bytes: &[u8], doi: &str) -> Result<NewPaper, String> {
    let item: Item = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let title = first(&item.title).map(|title| plain_text(title).replace("\n\n", " "));
    let title = title.filter(|title| !title.is_empty());
    Ok(NewPaper {
        title: title.ok_or("the answer has no title")?,
        summary: item.summary.as_deref().map(plain_text).unwrap_or_default(),
        authors: item.author.iter().filter_map(name).collect(),
        published: item.issued.parts.first().and_then(|parts| date(parts)),
        doi: Some(doi.to_owned()),
        venue: first(&item.container).map(plain_text).filter(|venue| !venue.is_empty()),
        ..NewPaper::default()
    })
}

/// A text, or the first of several.
fn first(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get(0)?.as_str())
}

fn name(name: &Name) -> Option<String> {
    let parts = [&name.given, &name.family, &name.suffix];
    let whole = parts.into_iter().flatten().map(|part| part.trim());
    let whole = whole.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let text = if whole.is_empty() { name.literal.clone()? } else { whole };
    Some(plain_text(&text)).filter(|text| !text.is_empty())
}

/// As precise as it is stated: numbers, or texts of digits.
fn date(parts: &[Value]) -> Option<String> {
    let number = |at: usize| {
        let part = parts.get(at)?;
        part.as_u64().or_else(|| part.as_str()?.parse().ok())
    };
    let year = number(0).filter(|year| (1000..=9999).contains(year))?;
    let month = number(1).filter(|month| (1..=12).contains(month));
    let day = number(2).filter(|day| (1..=31).contains(day));
    Some(match (month, day) {
        (Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
        (Some(month), None) => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_registrars() {
        let text = br#"{"type": "journal-article", "title": ["Gates <i>that</i> open"],
            "author": [{"given": "Ada", "family": "King"}, {"literal": "Gate Team"}, {}],
            "issued": {"date-parts": [[2023, 4, 5]]}, "container-title": "J. Gates",
            "abstract": "<jats:p>We open &amp; close.</jats:p>", "DOI": "10.1/OTHER"}"#;
        let paper = paper(text, "10.1/x").unwrap();
        assert_eq!(paper.title, "Gates that open");
        assert_eq!(paper.authors, ["Ada King", "Gate Team"]);
        assert_eq!(paper.published.as_deref(), Some("2023-04-05"));
        assert_eq!(paper.venue.as_deref(), Some("J. Gates"));
        assert_eq!(paper.summary, "We open & close.");
        // What was asked for, whatever the answer calls it.
        assert_eq!(paper.doi.as_deref(), Some("10.1/x"));
    }

    #[test]
    fn dates_as_precise_as_they_are_and_no_paper_without_a_title() {
        let date = |text: &str| date(&serde_json::from_str::<Vec<Value>>(text).unwrap());
        assert_eq!(date("[2023]").as_deref(), Some("2023"));
        assert_eq!(date("[\"2023\", \"4\"]").as_deref(), Some("2023-04"));
        assert_eq!(date("[2023, 13, 1]").as_deref(), Some("2023"));
        assert_eq!(date("[null]"), None);
        for text in ["{}", "[]", "{\"title\": []}", "{\"title\": \" \"}", "<html>"] {
            assert!(paper(text.as_bytes(), "10.1/x").is_err(), "{text}");
        }
    }
}
