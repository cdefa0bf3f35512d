//! `pressrun search`: the search box on a terminal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use pressrun_catalog::Paper;
use pressrun_search::embed::{self, StaticModel};
use pressrun_search::{Explanation, Hit, Index, Request, Results, SentenceTransformer, Vectors};

use super::{catalog, library};
use crate::cli::{EmbedderArgs, SearchArgs};

/// Where the index of a site is.
pub fn folder(data: &Path) -> PathBuf {
    data.join("search")
}

/// The embedder that the options ask for.
pub fn vectors(args: &EmbedderArgs) -> Result<Vectors> {
    let Some(path) = &args.embedder else { return Ok(embed::shipped().into()) };
    if path.is_dir() {
        return Ok(Vectors::Model(Arc::new(SentenceTransformer::open(path)?)));
    }
    // It lives as long as the program.
    Ok(Vectors::Static(Box::leak(Box::new(static_model(path)?))))
}

/// The model of a file that `pressrun embed train` has written.
pub fn static_model(file: &Path) -> Result<StaticModel> {
    let bytes = std::fs::read(file).with_context(|| format!("reading `{}`", file.display()))?;
    StaticModel::read(&bytes).with_context(|| format!("reading `{}`", file.display()))
}

/// Searches the index as it lies there; a site may be running on it.
pub async fn search(args: SearchArgs) -> Result<ExitCode> {
    let data = &args.site.data;
    let catalog = catalog(data).await?;
    let index = Index::open(&folder(data), vectors(&args.embedder)?)
        .context("opening the index; `pressrun index` builds it")?;
    let request = Request {
        limit: args.limit,
        explain: args.explain,
        runs: Arc::new(library()?),
        ..Request::new(args.query.join(" ").parse()?)
    };
    let results = index.search(&request)?;
    let ids: Vec<String> = results.hits.iter().map(|hit| hit.id.clone()).collect();
    let papers = catalog.papers_of(&ids).await?;
    print!("{}", text(&results, &papers));
    Ok(ExitCode::SUCCESS)
}

fn text(results: &Results, papers: &[Paper]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (place, hit) in (1..).zip(&results.hits) {
        let Some(paper) = papers.iter().find(|paper| paper.id == hit.id) else { continue };
        let when = paper.venue.as_deref().or(paper.published.as_deref()).unwrap_or_default();
        let _ = writeln!(text, "{place:>3}. {} [{}] {when}", paper.title, paper.id);
        if let Some(explanation) = &hit.explanation {
            explain(&mut text, hit, explanation);
        }
    }
    let _ = match results.total {
        0 => writeln!(text, "Nothing found."),
        Results::MOST => writeln!(text, "{} papers and more.", Results::MOST),
        1 => writeln!(text, "1 paper."),
        total => writeln!(text, "{total} papers."),
    };
    text
}

fn explain(text: &mut String, hit: &Hit, explanation: &Explanation) {
    use std::fmt::Write as _;
    let Explanation { semantic_weight, parts, best } = explanation;
    let words: f32 = parts.iter().map(|(_, worth)| worth).sum();
    let _ = writeln!(
        text,
        "     {:.3} = {:.2} x words {:.3} ({words:.2} of {best:.2}) + {semantic_weight:.2} x meaning {:.3}",
        hit.score,
        1.0 - semantic_weight,
        hit.lexical,
        hit.semantic,
    );
    let parts: Vec<String> =
        parts.iter().map(|(what, worth)| format!("{what} {worth:.2}")).collect();
    let _ = writeln!(text, "     {}", parts.join(", "));
}
