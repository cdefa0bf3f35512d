//! Tasks of the project: `cargo xtask TASK`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod check;
mod digest;
mod http;
mod load;
mod new_study;
mod readme;
mod record;
mod search;
mod shell;
mod steps;

/// Tasks of the project.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that must pass: format, lints, documentation, tests; the cheapest first.
    Check {
        /// Install no system part; what needs one is announced and skipped (an error under CI).
        #[arg(long)]
        no_install: bool,
    },
    /// Begin a study for a paper: `crates/studies/src/NAME/mod.rs` and its line in `lib.rs`.
    NewStudy {
        /// Slug of the paper, e.g. `fast-ibp`.
        slug: String,
    },
    /// Run the full profile and write `record.json`, of one study or of all.
    Record {
        /// Slug of the paper; all that have a study if absent.
        slug: Option<String>,
        /// Why the new record supersedes the one that is there.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Write what is generated: the table in README.md and `docs/record.schema.json`.
    Readme {
        /// Only say whether it is up to date.
        #[arg(long)]
        check: bool,
    },
    /// Measure.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Start-up, memory and page times of the site.
    Site,
    /// Pages and writes of a site with 87,000 papers, 10,000 people and a million votes.
    Load {
        /// Papers, such as the corpus of 60,241; JSON Lines, plain or compressed.
        #[arg(long, value_name = "FILE")]
        corpus: PathBuf,
    },
    /// How long it takes until all subscribers of the digest have their issue.
    Digest {
        /// Subscribers.
        #[arg(long, default_value_t = 10_000, value_name = "N")]
        subscribers: u32,
        /// How often the site is killed meanwhile.
        #[arg(long, default_value_t = 0, value_name = "N")]
        kills: u32,
    },
    /// Training steps beside PyTorch's (installs it in a virtual environment within the target folder).
    Steps {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// How well and how fast recommendations find what a reader would have kept.
    Recommend {
        /// Papers, such as the corpus of 60,241; JSON Lines, plain or compressed.
        #[arg(long, value_name = "FILE")]
        corpus: PathBuf,
        /// Try other recipes beside the default one.
        #[arg(long)]
        all: bool,
    },
    /// How well search finds papers that its embedder was not trained on, and how fast it is.
    Search {
        /// Papers, such as the corpus of 60,241; JSON Lines, plain or compressed.
        #[arg(long, value_name = "FILE")]
        corpus: PathBuf,
        /// Measure only how fast it is.
        #[arg(long)]
        speed: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Check { no_install } => check::check(!no_install),
        Task::NewStudy { slug } => new_study::new_study(&slug),
        Task::Record { slug, reason } => record::record(slug.as_deref(), reason.as_deref()),
        Task::Readme { check } => readme::readme(check),
        Task::Bench { what: Bench::Site } => bench::site(),
        Task::Bench { what: Bench::Load { corpus } } => load::load(&corpus),
        Task::Bench { what: Bench::Digest { subscribers, kills } } => {
            digest::digest(subscribers, kills)
        }
        Task::Bench { what: Bench::Steps { json } } => steps::steps(json),
        Task::Bench { what: Bench::Recommend { corpus, all } } => bench::recommend(&corpus, all),
        Task::Bench { what: Bench::Search { corpus, speed } } => search::search(&corpus, speed),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Root of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}
