//! `pressrun data`: the data sets that studies train on.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pressrun_data::{card, fashion};

use crate::cli::{DataArgs, DataCommand};

/// Lists or fetches data sets.
pub fn data(args: &DataArgs) -> Result<ExitCode> {
    match &args.command {
        DataCommand::List => {
            for card in card::cards() {
                println!("{}", card.markdown());
            }
        }
        DataCommand::Fetch { dir, url } => {
            let files = fashion::fetch(dir, url.as_deref()).with_context(|| {
                format!(
                    "fetching Fashion-MNIST into `{}` (on Debian, `apt-get install \
                     dataset-fashion-mnist` brings it too)",
                    dir.display()
                )
            })?;
            for file in files {
                let how = if file.downloaded { "fetched" } else { "was there" };
                println!("{how}: {}", file.path.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
