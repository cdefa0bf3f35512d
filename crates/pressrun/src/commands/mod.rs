//! One file per command.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pressrun_catalog::Catalog;
use pressrun_lab::{Library, Software};

use crate::cli::Command;

mod data;
mod digest;
mod doctor;
mod embed;
mod export;
mod import;
mod index;
mod mcp;
mod progress;
mod run;
mod score;
mod search;
mod serve;
mod show;
mod studies;
mod user;

/// Carries out a command.
pub fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve(args) => block_on(serve::serve(args)),
        Command::Run(args) => block_on(run::run(args)),
        Command::RunChild(args) => run::child(&args),
        Command::Studies(args) => studies::studies(&args),
        Command::Show(args) => show::show(&args),
        Command::Import(args) => block_on(import::import(args)),
        Command::Index(args) => block_on(index::index(args)),
        Command::Export(args) => block_on(export::export(args)),
        Command::Search(args) => block_on(search::search(args)),
        Command::Score(args) => score::score(&args),
        Command::Digest(args) => block_on(digest::digest(args)),
        Command::User(args) => block_on(user::user(args)),
        Command::Data(args) => data::data(&args),
        Command::Embed(args) => embed::embed(args),
        Command::Mcp(args) => block_on(mcp::mcp(args)),
        Command::Doctor(args) => block_on(doctor::doctor(args)),
    }
}

/// The catalogue in a site's folder.
async fn catalog(data: &Path) -> Result<Catalog> {
    let opened = Catalog::open(data).await;
    opened.with_context(|| format!("opening the database in `{}`", data.display()))
}

/// The papers of this build.
fn library() -> Result<Library> {
    pressrun_studies::library().context("reading the papers of this build")
}

/// What this build is made of.
fn software() -> Software {
    Software {
        pressrun: env!("CARGO_PKG_VERSION").into(),
        commit: env!("PRESSRUN_COMMIT").into(),
        crates: env!("PRESSRUN_CRATES").split(';').map(str::to_owned).collect(),
        rustc: env!("PRESSRUN_RUSTC").into(),
    }
}

fn block_on(future: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("starting the asynchronous runtime")?.block_on(future)
}
