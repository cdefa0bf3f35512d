//! `pressrun score`: how well search finds papers that its embedder was not trained on.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use pressrun_catalog::{NewPaper, Paper, import};
use pressrun_embedder::evaluate::Score;
use pressrun_embedder::tasks::tasks;
use pressrun_embedder::topics::{self, Form, TopicScore};
use pressrun_embedder::whole;
use pressrun_search::{Mode, Vectors};

use super::search::vectors;
use crate::cli::ScoreArgs;

/// Scores search, and prints a table or JSON.
pub fn score(args: &ScoreArgs) -> Result<ExitCode> {
    let mut papers: Vec<Paper> = Vec::new();
    let mut take = |record: Result<NewPaper, import::BadRecord>| match record {
        Ok(paper) => papers.push(Paper::new(paper, Default::default())),
        Err(record) => eprintln!("{record}"),
    };
    import::read_file(&args.corpus, &import::Options::default(), &mut take)
        .with_context(|| format!("reading `{}`", args.corpus.display()))?;
    if let Some(most) = args.papers {
        let step = papers.len().div_ceil(most.max(1)).max(1);
        papers = papers.into_iter().step_by(step).collect();
    }
    let texts: Vec<pressrun_embedder::Paper> = papers
        .iter()
        .map(|paper| pressrun_embedder::Paper {
            title: paper.title.clone(),
            summary: paper.summary.clone(),
        })
        .collect();
    let folder = std::env::temp_dir().join(format!("pressrun-score-{}", std::process::id()));
    let vectors = vectors(&args.embedder)?;
    if args.unjudged {
        let printed = print_unjudged(&folder, &vectors, &papers);
        std::fs::remove_dir_all(&folder).context("removing the index that was asked")?;
        return printed.map(|()| ExitCode::SUCCESS);
    }
    let tasks = tasks(&texts, args.seed);
    let started = Instant::now();
    let scores = whole::scores(&folder, &vectors, &papers, &tasks);
    let topical = topical(&folder.join("topics"), &vectors, &papers);
    std::fs::remove_dir_all(&folder).context("removing the indexes that were scored")?;
    let (scores, topical) = (scores?, topical?);
    if args.json {
        for task in &scores {
            println!(
                "{}",
                serde_json::json!({
                    "task": task.fused.task, "queries": task.fused.queries, "papers": papers.len(),
                    "lexical": part(&task.lexical), "semantic": part(&task.semantic),
                    "fused": part(&task.fused),
                })
            );
        }
        for (name, [lexical, semantic, fused]) in &topical {
            let topics = topics::topics().len();
            println!(
                "{}",
                serde_json::json!({
                    "task": name, "queries": topics, "papers": papers.len(),
                    "lexical": topic(lexical), "semantic": topic(semantic), "fused": topic(fused),
                })
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{} papers, MRR@10 (recall@10), {:.0} s",
        papers.len(),
        started.elapsed().as_secs_f64()
    );
    println!("{:<10} {:>7} {:>16} {:>16} {:>16}", "task", "queries", "words", "meaning", "fused");
    for whole::Scores { lexical, semantic, fused } in &scores {
        let [a, b, c] =
            [lexical, semantic, fused].map(|s| format!("{:.4} ({:.3})", s.mrr, s.recall));
        println!("{:<10} {:>7} {a:>16} {b:>16} {c:>16}", fused.task, fused.queries);
    }
    println!("nDCG@10 (share on the subject, share judged)");
    for (name, scores) in topical {
        let [a, b, c] =
            scores.map(|s| format!("{:.3} ({:.2}, {:.2})", s.ndcg, s.precision, s.judged));
        println!("{name:<10} {:>7} {a:>16} {b:>16} {c:>16}", topics::topics().len());
    }
    Ok(ExitCode::SUCCESS)
}

fn part(score: &Score) -> serde_json::Value {
    serde_json::json!({ "mrr": score.mrr, "recall": score.recall })
}

fn topic(score: &TopicScore) -> serde_json::Value {
    let TopicScore { ndcg, precision, judged } = score;
    serde_json::json!({ "ndcg": ndcg, "precision": precision, "judged": judged })
}

/// Scores of the judged topics, by how they are said: words alone, meaning alone, fused.
type Topical = [(&'static str, [TopicScore; 3]); 2];

fn topical(folder: &Path, vectors: &Vectors, papers: &[Paper]) -> Result<Topical> {
    let index = whole::index(folder, vectors, papers)?;
    let topics = topics::topics();
    let scores = |form| -> Result<[TopicScore; 3]> {
        let score = |mode| topics::score(&index, papers, &topics, form, mode);
        Ok([score(Mode::Lexical)?, score(Mode::Semantic)?, score(Mode::Fused)?])
    };
    Ok([("topics", scores(Form::InOtherWords)?), ("by name", scores(Form::ByName)?)])
}

/// Prints what a judge has to read: one paper a line, with its topic.
fn print_unjudged(folder: &Path, vectors: &Vectors, papers: &[Paper]) -> Result<()> {
    let index = whole::index(folder, vectors, papers)?;
    for topic in topics::topics() {
        for title in topics::unjudged(&index, papers, &topic)? {
            let paper = papers.iter().find(|paper| paper.title == title);
            let summary = paper.map_or("", |paper| &paper.summary);
            let line =
                serde_json::json!({ "query": topic.query, "title": title, "summary": summary });
            println!("{line}");
        }
    }
    Ok(())
}
