//! Scores of the whole search: words alone, meaning alone, and the two fused, as they are served.

use std::path::Path;

use pressrun_catalog as catalog;
use pressrun_search::{Index, Mode, Request, Result, Vectors};
use rayon::prelude::*;

use crate::evaluate::{Score, score};
use crate::tasks::Task;

/// Results among which a target counts as found.
const DEPTH: usize = 10;

/// Scores of a task by each part of the ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Words alone.
    pub lexical: Score,
    /// Meaning alone.
    pub semantic: Score,
    /// The two fused.
    pub fused: Score,
}

/// Builds the indexes that the tasks need, below `folder`, and asks them every query.
///
/// # Errors
/// If an index cannot be written or read.
pub fn scores(
    folder: &Path,
    vectors: &Vectors,
    papers: &[catalog::Paper],
    tasks: &[Task],
) -> Result<Vec<Scores>> {
    let mut built: Option<(&Task, Index)> = None;
    let mut all = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        let same = |other: &Task| other.titles == task.titles && other.abstracts == task.abstracts;
        if built.as_ref().is_none_or(|(other, _)| !same(other)) {
            let folder = folder.join(at.to_string());
            built = Some((task, build(&folder, vectors, papers, task)?));
        }
        if let Some((_, index)) = &built {
            all.push(Scores {
                lexical: ask(index, task, Mode::Lexical)?,
                semantic: ask(index, task, Mode::Semantic)?,
                fused: ask(index, task, Mode::Fused)?,
            });
        }
    }
    Ok(all)
}

/// An index of these papers as they are, each under its place in the list.
///
/// # Errors
/// If the index cannot be written.
pub fn index(folder: &Path, vectors: &Vectors, papers: &[catalog::Paper]) -> Result<Index> {
    let abstracts = Default::default();
    build(folder, vectors, papers, &Task { name: "", titles: true, abstracts, queries: Vec::new() })
}

fn build(
    folder: &Path,
    vectors: &Vectors,
    papers: &[catalog::Paper],
    task: &Task,
) -> Result<Index> {
    let index = Index::create(folder, vectors.clone())?;
    let mut writer = index.writer(Index::LARGE)?;
    for (i, paper) in papers.iter().enumerate() {
        let mut paper = paper.clone();
        paper.id = i.to_string();
        if !task.titles {
            // Nobody searches for it.
            paper.title = format!("untitled{i}");
        }
        if let Some(other) = task.abstracts.get(&i) {
            paper.summary.clone_from(other);
        }
        writer.put(&paper)?;
    }
    writer.commit(0)?;
    writer.finish()?;
    Ok(index)
}

fn ask(index: &Index, task: &Task, mode: Mode) -> Result<Score> {
    let rank = |query: &crate::tasks::Query| {
        // Colons, quotes and dashes of a title are text here.
        let plain = query.text.replace([':', '"'], " ").replace(" -", " ");
        let mut request = Request::new(plain.parse()?);
        request.limit = DEPTH;
        let hits = index.search_by(mode, &request)?.hits;
        let at = hits.iter().position(|hit| hit.id == query.target.to_string());
        Ok(at.map_or(usize::MAX, |at| at + 1))
    };
    let ranks: Vec<usize> = task.queries.par_iter().map(rank).collect::<Result<_>>()?;
    Ok(score(task.name, &ranks))
}
