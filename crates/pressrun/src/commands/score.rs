//! `pressrun score`: how well search finds papers that its embedder was not trained on.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use pressrun_catalog::{NewPaper, Paper, import};
use pressrun_embedder::evaluate::Score;
use pressrun_embedder::tasks::tasks;
use pressrun_embedder::whole;

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
    let tasks = tasks(&texts, args.seed);
    let folder = std::env::temp_dir().join(format!("pressrun-score-{}", std::process::id()));
    let started = Instant::now();
    let scores = whole::scores(&folder, &vectors(&args.embedder)?, &papers, &tasks);
    std::fs::remove_dir_all(&folder).context("removing the indexes that were scored")?;
    let scores = scores?;
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
    Ok(ExitCode::SUCCESS)
}

fn part(score: &Score) -> serde_json::Value {
    serde_json::json!({ "mrr": score.mrr, "recall": score.recall })
}
