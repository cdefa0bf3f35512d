//! `cargo xtask record`: full runs, written beside their studies.

use anyhow::Result;

use crate::readme::papers;
use crate::shell::run;

/// Runs the full profile of one study or of all, one after another, and records them.
pub fn record(slug: Option<&str>, reason: Option<&str>) -> Result<()> {
    let papers = papers()?;
    let studies = papers.iter().filter(|p| p.runs).map(|p| p.manifest.slug.as_str());
    let slugs: Vec<&str> = match slug {
        Some(slug) => vec![slug],
        None => studies.collect(),
    };
    run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
    for slug in slugs {
        let mut arguments = vec!["run", "--quiet", "--package", "pressrun", "--", "run", slug];
        arguments.extend(["--profile", "full", "--record"]);
        if let Some(reason) = reason {
            arguments.extend(["--reason", reason]);
        }
        run("cargo", &arguments)?;
    }
    crate::readme::readme(false)
}
