//! `cargo xtask new-study`: the beginning of a study, in the order in which all are written.

use std::fs;

use anyhow::{Context as _, Result, bail};
use pressrun_lab::Manifest;

/// Makes `mod.rs` for a paper and adds its line to `lib.rs`.
///
/// What has to be written is marked by `compile_error!`: a study that is half done does not build.
pub fn new_study(slug: &str) -> Result<()> {
    let name = slug.replace('-', "_");
    let src = crate::root().join("crates/studies/src");
    let folder = src.join(&name);
    let toml = folder.join("paper.toml");
    if !toml.is_file() {
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let text = PAPER.replace("SLUG", slug);
        fs::write(&toml, text).with_context(|| format!("writing {}", toml.display()))?;
        println!("wrote {}: fill it in, then call this again", toml.display());
        return Ok(());
    }
    let manifest = Manifest::parse(&fs::read_to_string(&toml)?, &name)?;
    let path = folder.join("mod.rs");
    if path.exists() {
        bail!("{} is there already", path.display());
    }
    let text = STUDY
        .replace("TITLE", &manifest.title)
        .replace("ID", manifest.arxiv_id.as_deref().unwrap_or(slug));
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    let lib = src.join("lib.rs");
    let text = fs::read_to_string(&lib).context("reading lib.rs")?;
    fs::write(&lib, with_module(&text, &name)).context("writing lib.rs")?;
    println!("wrote {}; the steps are in CONTRIBUTING.md", path.display());
    Ok(())
}

/// `lib.rs` with `pub mod NAME;` among the modules, in alphabetical order.
fn with_module(text: &str, name: &str) -> String {
    let line = format!("pub mod {name};");
    let mut lines: Vec<&str> = text.lines().collect();
    let module = |l: &&str| l.starts_with("pub mod ");
    let at = lines
        .iter()
        .position(|l| module(l) && **l > *line)
        .or_else(|| lines.iter().rposition(module).map(|last| last + 1))
        .or_else(|| lines.iter().position(|l| l.starts_with("use ")))
        .unwrap_or(lines.len());
    lines.insert(at, &line);
    lines.join("\n") + "\n"
}

const PAPER: &str = r#"slug = "SLUG"
title = ""
authors = []
published = ""
listed = ""
family = ""
abstract = ""

[[claim]]
id = "C1"
text = ""
source = ""
status = "confirmed"
"#;

const STUDY: &str = r#"//! TITLE (arXiv:ID).
//!
//! compile_error: the idea in three sentences.
//!
//! # What we run against what the paper ran
//!
//! # Differences from the paper
//! 1.
//!
//! # Series

use pressrun_lab::{Judge, MetricSpec, Result, Results, Run, SeriesSpec, Study};

compile_error!("Config: a line per hyperparameter, with quick() and full()");
compile_error!("data, model, baselines: layers come from `pressrun_nn`, data from `pressrun_data`");

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(Paper)
}

struct Paper;

impl Study for Paper {
    fn series(&self) -> Vec<SeriesSpec> {
        compile_error!("declare every series once, with unit and meaning")
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        compile_error!("declare every metric once, with unit and direction")
    }

    fn run(&self, run: &Run) -> Result<()> {
        compile_error!("the training loop, visible here; arms by `run.arms`")
    }

    fn check(&self, results: &Results, judge: &mut Judge<'_>) -> Result<()> {
        compile_error!("one call of `judge` per check of paper.toml")
    }
}

#[cfg(test)]
mod tests {
    compile_error!("oracles, a few steps of training, and the swap that must fail a check");
}
"#;

#[cfg(test)]
mod tests {
    use super::with_module;

    #[test]
    fn modules_stay_in_order() {
        let text = "//! Doc.\n\npub mod a;\npub mod c;\n\nuse x;\n";
        assert!(with_module(text, "b").contains("pub mod a;\npub mod b;\npub mod c;\n"));
        assert!(with_module(text, "d").contains("pub mod c;\npub mod d;\n"));
        assert!(with_module("//! Doc.\n\nuse x;\n", "a").contains("pub mod a;\nuse x;"));
    }
}
