//! Markdown (`CommonMark` with tables), for people's notes and for programs that read text.

use std::fmt::Write as _;

use pressrun_catalog::{LibraryEntry, Paper};
use pressrun_lab::manifest::ClaimSpec;
use pressrun_lab::{Comparison, Manifest, Outcome, Record, Verdict};

use super::{Facts, line};
use crate::number;
use crate::view::{badge, link};

/// A paper with its claims and, where there is a record, their verdicts and measured numbers.
pub(crate) fn paper(
    paper: &Paper,
    manifest: Option<&Manifest>,
    record: Option<&Record>,
    facts: &Facts<'_>,
) -> String {
    let mut out = format!("# {}\n\n", text(&paper.title));
    about(&mut out, paper, facts);
    if !paper.summary.is_empty() {
        let _ = write!(out, "\n## Abstract\n\n{}\n", paragraph(&paper.summary));
    }
    if let Some(manifest) = manifest.filter(|manifest| !manifest.claims.is_empty()) {
        out.push_str("\n## Claims and verdicts\n");
        if let Some(record) = record {
            let _ = write!(
                out,
                "\nFrom the {} run of {}. Each verdict is computed from the numbers beside it.\n",
                record.profile.name(),
                text(&record.started)
            );
        }
        for claim in &manifest.claims {
            let verdict = record.and_then(|r| r.verdicts.iter().find(|v| v.claim == claim.id));
            one_claim(&mut out, claim, verdict);
        }
        if let Some(record) = record {
            let _ = write!(out, "\nAgain: `{}`\n", line(&record.command).replace('`', "'"));
        }
    }
    out
}

/// Papers under a heading, each with what a card shows.
pub(crate) fn list(heading: &str, papers: &[Paper], facts: &Facts<'_>) -> String {
    let mut out = format!("# {}\n", text(heading));
    for paper in papers {
        let _ = write!(out, "\n## [{}](<{}>)\n\n", text(&paper.title), facts.page(paper));
        about(&mut out, paper, facts);
        if !paper.summary.is_empty() {
            let _ = write!(out, "\n{}\n", paragraph(&paper.summary));
        }
    }
    out
}

/// What somebody keeps: papers, each with how it stands, its tags and its note.
pub(crate) fn library(
    heading: &str,
    papers: &[(Paper, LibraryEntry)],
    facts: &Facts<'_>,
) -> String {
    let mut out = format!("# {}\n", text(heading));
    for (paper, entry) in papers {
        let _ = write!(out, "\n## [{}](<{}>)\n\n", text(&paper.title), facts.page(paper));
        let _ = writeln!(out, "- State: {}", entry.state);
        if !entry.tags.is_empty() {
            let tags: Vec<String> = entry.tags.iter().map(|tag| text(tag.as_str())).collect();
            let _ = writeln!(out, "- Tags: {}", tags.join(", "));
        }
        about(&mut out, paper, facts);
        // The note is Markdown of its owner. Quoted, its headings and lists are not those around it.
        if !entry.note.is_empty() {
            out.push('\n');
            for part in entry.note.lines() {
                let _ = writeln!(out, "> {}", part.trim_end());
            }
        }
    }
    out
}

/// Authors, dates, ids and verdicts, a line each.
fn about(out: &mut String, paper: &Paper, facts: &Facts<'_>) {
    let mut add = |name: &str, value: &str| {
        // Writing to a string never fails.
        let _ = writeln!(out, "- {name}: {value}");
    };
    if !paper.authors.is_empty() {
        add("Authors", &text(&paper.authors.join(", ")));
    }
    if let Some(published) = &paper.published {
        add("Published", &text(published));
    }
    if let Some(listed) = paper.listed {
        add("Listed", &listed.to_string());
    }
    if let Some(venue) = &paper.venue {
        add("Venue", &text(venue));
    }
    if let Some(category) = &paper.category {
        add("Category", &text(category));
    }
    if let Some(arxiv) = &paper.arxiv_id {
        add("arXiv", &format!("[{}](<{}>)", text(arxiv), address(&link::arxiv(arxiv))));
    }
    if let Some(doi) = &paper.doi {
        add("DOI", &format!("[{}](<{}>)", text(doi), address(&link::doi(doi))));
    }
    if let Some(code) = paper.code_url.as_deref().and_then(link::outside) {
        add("Code", &format!("<{}>", address(code)));
    }
    if let Some(counts) = paper.verdicts.filter(|counts| counts.total() > 0) {
        let (n, of) = (counts.reproduced, counts.total());
        add("Verdicts", &format!("{n}/{of} claims reproduced ({})", badge::breakdown(&counts)));
    }
    add("Page", &format!("<{}>", facts.page(paper)));
}

fn one_claim(out: &mut String, claim: &ClaimSpec, verdict: Option<&Verdict>) {
    let outcome = match verdict {
        Some(verdict) => verdict.outcome.label(),
        None if claim.not_tested.is_some() => Outcome::NotTested.label(),
        None => "not run yet",
    };
    let _ = write!(
        out,
        "\n### {}: {outcome}\n\n{}\n\nSource: {}\n",
        text(&claim.id),
        paragraph(&claim.text),
        text(&claim.source)
    );
    let reason = verdict.and_then(|v| v.reason.as_ref()).or(claim.not_tested.as_ref());
    if let Some(reason) = reason {
        let _ = write!(out, "\n{}\n", paragraph(reason));
    }
    let comparisons = verdict.map_or(&[][..], |verdict| &verdict.comparisons);
    if !comparisons.is_empty() {
        out.push_str("\n| check | measured | against | margin | needed | holds |\n");
        out.push_str("|---|---|---|---|---|---|\n");
        for comparison in comparisons {
            row(out, comparison);
        }
    }
}

fn row(out: &mut String, c: &Comparison) {
    let _ = writeln!(
        out,
        "| {} | {}: {} | {}: {} | {} | {} | {} |",
        text(&c.what),
        text(&c.measured_label),
        number::stat(&c.measured),
        text(&c.against_label),
        number::stat(&c.against),
        number::margin(c.margin, c.unit),
        number::margin(c.needed, c.unit),
        if c.holds { "yes" } else { "no" }
    );
}

/// Text on one line, in which nothing is a sign of Markdown or HTML.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text at the beginning of a line, where a few more signs mean something: a heading, a list, a rule.
fn paragraph(paragraph: &str) -> String {
    let text = text(paragraph);
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match text[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => format!("{}\\{}", &text[..digits], &text[digits..]),
        Some('#' | '-' | '+' | '=') if digits == 0 => format!("\\{text}"),
        _ => text,
    }
}

/// An address within angle brackets.
fn address(url: &str) -> String {
    line(url).replace('<', "%3C").replace('>', "%3E").replace(' ', "%20").replace('\\', "%5C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{FACTS, hostile};

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            text("<script> & [a](b) *c* | `d`"),
            "\\<script\\> \\& \\[a\\](b) \\*c\\* \\| \\`d\\`"
        );
        assert_eq!(paragraph("# no heading"), "\\# no heading");
        assert_eq!(paragraph("1. no list"), "1\\. no list");
        assert_eq!(paragraph("- no list"), "\\- no list");
        assert_eq!(paragraph("1999 was a year"), "1999 was a year");
        assert_eq!(address("https://a/<b> c"), "https://a/%3Cb%3E%20c");
    }

    #[test]
    fn hostile_titles_stay_on_their_line() {
        let papers = hostile();
        let text = list("Papers", &papers, &FACTS);
        assert_eq!(text.lines().filter(|line| line.starts_with("## [")).count(), papers.len());
        for line in text.lines().filter(|line| !line.is_empty()) {
            let begins = ["# ", "## [", "- "].iter().any(|sign| line.starts_with(sign));
            let plain = !line.starts_with(['#', '>', '|', '<', '`']);
            assert!(begins || plain, "{line}");
        }
        assert!(!text.replace("\\<", "").contains("<script"), "an unescaped tag");
    }
}
