//! The `pressrun` program: command line, configuration, wiring.

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod commands;
mod text;

/// Training allocates and frees many buffers of the same sizes; mimalloc takes a sixth off a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli::init_tracing(cli.log.as_deref(), cli.log_json);
    match commands::dispatch(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pressrun: {error:#}");
            ExitCode::from(2)
        }
    }
}
