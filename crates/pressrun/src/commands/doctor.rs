//! `pressrun doctor`: is everything here that Pressrun needs?

use std::process::ExitCode;

use anyhow::Result;
use pressrun_catalog::Catalog;
use pressrun_data::{Fashion, Sources};
use pressrun_lab::{Machine, Verdict};

use super::{library, software};
use crate::cli::DoctorArgs;

/// What was looked at, and what came out.
struct Findings {
    problems: usize,
}

impl Findings {
    fn good(&self, what: &str, found: &str) {
        println!("ok       {what}: {found}");
    }

    fn note(&self, what: &str, found: &str) {
        println!("note     {what}: {found}");
    }

    fn bad(&mut self, what: &str, found: &str) {
        self.problems += 1;
        println!("PROBLEM  {what}: {found}");
    }
}

/// Checks machine and installation; the exit status is 1 if there is a problem.
pub async fn doctor(args: DoctorArgs) -> Result<ExitCode> {
    let mut findings = Findings { problems: 0 };
    machine(&mut findings);
    papers(&mut findings);
    database(&mut findings, &args).await;
    data(&mut findings, &args);
    println!(
        "{}",
        match findings.problems {
            0 => "Everything is in order.".to_owned(),
            n => format!("{n} problem(s)."),
        }
    );
    Ok(ExitCode::from(u8::from(findings.problems > 0)))
}

fn machine(findings: &mut Findings) {
    let Machine { processor, cores, system, memory_gib } = Machine::current();
    findings.good("machine", &format!("{processor}, {cores} core(s), {system}"));
    match memory_gib {
        Some(gib) if gib < 2.0 => findings.bad("memory", &format!("{gib} GiB; 2 are needed")),
        Some(gib) => findings.good("memory", &format!("{gib} GiB")),
        None => findings.note("memory", "unknown on this system; runs are limited by time only"),
    }
    let software = software();
    findings.good(
        "build",
        &format!("{} at {}, {}", software.pressrun, software.commit, software.rustc),
    );
    findings.good("numeric crates", &software.crates.join(", "));
    #[cfg(target_arch = "x86_64")]
    {
        let simd = if is_x86_feature_detected!("avx512f") {
            "AVX-512"
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            "AVX2 and FMA"
        } else {
            "neither AVX2 nor AVX-512: studies will take several times as long"
        };
        findings.good("vector instructions", simd);
    }
}

fn papers(findings: &mut Findings) {
    let library = match library() {
        Ok(library) => library,
        Err(error) => return findings.bad("papers", &format!("{error:#}")),
    };
    let runs = library.entries().iter().filter(|e| e.study.is_some()).count();
    findings.good("papers", &format!("{}, of which {runs} run", library.entries().len()));
    for entry in library.entries() {
        let Some(record) = &entry.record else { continue };
        let slug = &entry.manifest.slug;
        match entry.judge(&record.results()) {
            Ok(verdicts) if Verdict::all_agree(&verdicts, &record.verdicts) => {
                findings.good(&format!("record of {slug}"), &record.badge());
            }
            Ok(_) => findings.bad(
                &format!("record of {slug}"),
                "its verdicts do not follow from its numbers and paper.toml; record it again",
            ),
            Err(error) => findings.bad(&format!("record of {slug}"), &error.to_string()),
        }
    }
}

async fn database(findings: &mut Findings, args: &DoctorArgs) {
    let folder = &args.site.data;
    if !folder.exists() {
        let text = format!("`{}` is not there yet; `pressrun serve` makes it", folder.display());
        return findings.note("database", &text);
    }
    match Catalog::open(folder).await {
        Ok(catalog) => match catalog.count_papers().await {
            Ok(papers) => {
                findings.good("database", &format!("`{}`, {papers} papers", folder.display()));
            }
            Err(error) => findings.bad("database", &error.to_string()),
        },
        Err(error) => findings.bad("database", &error.to_string()),
    }
}

fn data(findings: &mut Findings, args: &DoctorArgs) {
    for (what, sources) in [
        ("embedded data", Sources::embedded()),
        ("whole data", Sources::everywhere(args.data_sets.data_dir.as_deref())),
    ] {
        match Fashion::load(&sources) {
            Ok(split) => findings.good(what, &split.provenance.to_string()),
            Err(error) => findings.bad(what, &error.to_string()),
        }
    }
}
