//! `pressrun embed`: the embedder that finds papers by meaning.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pressrun_catalog::import;
use pressrun_embedder::evaluate::{Precision, Unrounded, evaluate};
use pressrun_embedder::tasks::tasks;
use pressrun_embedder::{Config, Paper, Shares, train};
use pressrun_search::embed::{self, Embedder, StaticModel, Vector};

use super::progress::{SHARE, bar};
use super::search::static_model;
use crate::cli::{EmbedArgs, EmbedCommand, EmbedTrainArgs};

/// Trains, describes or scores a model.
pub fn embed(args: EmbedArgs) -> Result<ExitCode> {
    match args.command {
        EmbedCommand::Train(args) => trained(&args)?,
        EmbedCommand::Info { file } => info(&model(file.as_deref())?),
        EmbedCommand::Score { corpus, model: file, seed } => {
            let papers = papers(&corpus)?;
            score(&model(file.as_deref())?, &papers, seed, Precision::Stored);
        }
        EmbedCommand::Similar { words, model: file, count } => {
            similar(&model(file.as_deref())?, &words.join(" "), count)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The model of a file, or of this build.
fn model(file: Option<&Path>) -> Result<StaticModel> {
    file.map_or_else(|| Ok(embed::shipped().clone()), static_model)
}

/// The papers of a file; bad records are named and left out.
fn papers(file: &Path) -> Result<Vec<Paper>> {
    let (mut papers, mut bad) = (Vec::new(), 0);
    let mut each = |record: Result<_, import::BadRecord>| match record {
        Ok(pressrun_catalog::NewPaper { title, summary, .. }) => {
            papers.push(Paper { title, summary });
        }
        Err(record) => {
            eprintln!("{record}");
            bad += 1;
        }
    };
    import::read_file(file, &import::Options::default(), &mut each)
        .with_context(|| format!("reading `{}`", file.display()))?;
    println!("{}: {} papers, {bad} bad records", file.display(), papers.len());
    Ok(papers)
}

fn trained(args: &EmbedTrainArgs) -> Result<()> {
    let config = config(args)?;
    let papers = papers(&args.corpus)?;
    let start = Instant::now();
    let bar = bar(SHARE);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut last = None;
    let trained = train(&papers, &config, &mut |progress| {
        bar.set_length(progress.steps as u64);
        bar.set_position(progress.step as u64);
        bar.set_message(format!("loss {:.3}", progress.loss));
        // Where there is no bar, a line for each tenth.
        let tenth = 10 * progress.step / progress.steps;
        if bar.is_hidden() && last.replace(tenth) != Some(tenth) {
            let pressrun_embedder::Progress { step, steps, loss } = progress;
            println!("step {step} of {steps}, loss {loss:.3}");
        }
    })?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    let bytes = trained.model.write()?;
    std::fs::write(&args.out, &bytes)
        .with_context(|| format!("writing `{}`", args.out.display()))?;
    println!(
        "{} papers, {} different words, {} steps of {}, seed {}, {seconds:.0} s; loss {:.3}, then {:.3}",
        trained.papers,
        trained.words,
        trained.steps,
        config.batch,
        config.seed,
        trained.losses.first().copied().unwrap_or_default(),
        trained.losses.last().copied().unwrap_or_default(),
    );
    println!("{}: {} bytes", args.out.display(), bytes.len());
    info(&trained.model);
    if args.score {
        let vocabulary = trained.model.vocabulary();
        let unrounded =
            Unrounded { vocabulary, rows: &trained.rows, unknown: trained.model.unknown() };
        println!("single precision:");
        score(&unrounded, &papers, 1, Precision::Exact);
        println!("8 bits:");
        score(&trained.model, &papers, 1, Precision::Stored);
    }
    Ok(())
}

fn config(args: &EmbedTrainArgs) -> Result<Config> {
    let default = Config::default();
    let shares = match args.shares.as_deref() {
        None => default.shares,
        Some(&[title, sentences, passage, keywords]) => {
            Shares { title, sentences, passage, keywords }
        }
        Some(other) => anyhow::bail!("{} shares; expected 4", other.len()),
    };
    Ok(Config {
        words: args.words.unwrap_or(default.words),
        epochs: args.epochs.unwrap_or(default.epochs),
        batch: args.batch.unwrap_or(default.batch),
        lr: args.lr.unwrap_or(default.lr),
        temperature: args.temperature.unwrap_or(default.temperature),
        spread: args.spread.unwrap_or(default.spread),
        power: args.power.unwrap_or(default.power),
        query_dropout: args.query_dropout.unwrap_or(default.query_dropout),
        paper_dropout: args.paper_dropout.unwrap_or(default.paper_dropout),
        full_rate: args.full_rate.unwrap_or(default.full_rate),
        seed: args.seed.unwrap_or(default.seed),
        shares,
        ..default
    })
}

fn info(model: &StaticModel) {
    let vocabulary = model.vocabulary();
    println!("{}", model.identity());
    println!("numbers in a vector  {}", model.dims());
    println!("words                {}", vocabulary.len());
    println!("size of unknown ones {:.4}", model.unknown());
    println!("checksum             {:016x}", model.checksum());
    if let Ok(bytes) = model.write() {
        println!("bytes                {}", bytes.len());
    }
}

fn score(embedder: &dyn Embedder, papers: &[Paper], seed: u64, precision: Precision) {
    let tasks = tasks(papers, seed);
    println!("{:<10} {:>7} {:>7} {:>9}", "task", "queries", "MRR@10", "recall@10");
    for score in evaluate(embedder, papers, &tasks, precision) {
        let pressrun_embedder::evaluate::Score { task, queries, mrr, recall } = score;
        println!("{task:<10} {queries:>7} {mrr:>7.4} {recall:>9.4}");
    }
}

fn similar(model: &StaticModel, text: &str, count: usize) -> Result<()> {
    let query = model.embed(text);
    ensure!(query != [0.0; embed::DIMS], "no words in `{text}`");
    let vocabulary = model.vocabulary();
    let mut found: Vec<(f32, &str)> = vocabulary
        .words()
        .enumerate()
        .map(|(row, word)| {
            let mut vector: Vector = model.vector(row);
            embed::normalise(&mut vector);
            (query.iter().zip(&vector).map(|(a, b)| a * b).sum(), word)
        })
        .collect();
    found.sort_by(|(a, v), (b, w)| b.total_cmp(a).then(v.cmp(w)));
    for (cosine, word) in found.into_iter().take(count) {
        println!("{cosine:>6.3}  {word}");
    }
    Ok(())
}
