//! `cargo xtask check`: everything that must pass before a change lands.

use anyhow::{Result, bail};

use crate::shell::{has, run, succeeds};

/// A system part that a test needs.
struct Part {
    /// A file that it brings.
    file: &'static str,
    /// Debian packages that bring it.
    packages: &'static [&'static str],
    /// What cannot be tested without it.
    needed_for: &'static str,
}

/// PostgreSQL's program that makes a cluster.
const INITDB: &str = "/usr/lib/postgresql/15/bin/initdb";

/// What watches every read and write of a program.
const VALGRIND: &str = "/usr/bin/valgrind";

const PARTS: &[Part] = &[
    Part {
        file: "/usr/bin/chromedriver",
        packages: &["chromium", "chromium-driver"],
        needed_for: "the site in a real browser",
    },
    Part {
        file: "/usr/share/datasets/fashion-mnist",
        packages: &["dataset-fashion-mnist"],
        needed_for: "the whole of Fashion-MNIST",
    },
    Part {
        file: "/usr/share/doc/python3-venv",
        packages: &["python3", "python3-venv"],
        needed_for: "other readers of the site: the Hugging Face client, validators, parsers",
    },
    Part { file: VALGRIND, packages: &["valgrind"], needed_for: "what the kernels read and write" },
    Part { file: INITDB, packages: &["postgresql-15"], needed_for: "the migrations on PostgreSQL" },
];

/// Runs every check, the cheapest first.
pub fn check(install: bool) -> Result<()> {
    run("cargo", &["fmt", "--all", "--check"])?;
    crate::readme::readme(true)?;
    system_parts(install)?;
    let warnings = ["--", "-D", "warnings"];
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet"];
    run("cargo", &[&clippy[..], &warnings[..]].concat())?;
    documentation()?;
    tests()?;
    if std::path::Path::new(INITDB).exists() {
        run("bash", &["crates/catalog/migrations/check-postgres.sh"])?;
    }
    if std::path::Path::new(VALGRIND).exists() {
        memory()?;
    }
    eprintln!("\nall checks passed");
    Ok(())
}

/// All tests. The browser's come last and on their own: see `e2e/README.md`.
fn tests() -> Result<()> {
    let all = ["--workspace", "--exclude", "pressrun-e2e", "--no-fail-fast"];
    let browser = ["--package", "pressrun-e2e", "--no-fail-fast"];
    // nextest runs tests side by side in processes of their own; the plain runner does the same
    // tests where it is not installed.
    if succeeds("cargo", &["nextest", "--version"]) {
        run("cargo", &[&["nextest", "run"], &all[..]].concat())?;
        run("cargo", &[&["test", "--doc", "--quiet"], &all[..]].concat())?;
        run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
        run("cargo", &[&["nextest", "run"], &browser[..]].concat())
    } else {
        run("cargo", &[&["test"], &all[..]].concat())?;
        run("cargo", &["build", "--quiet", "--package", "pressrun"])?;
        run("cargo", &[&["test"], &browser[..]].concat())
    }
}

/// The kernels' tests under Valgrind: reads of what was never written, and beyond the ends. It does
/// not know AVX-512, so that the portable and the AVX2 path run.
fn memory() -> Result<()> {
    let tests = ["test", "--workspace", "--exclude", "pressrun-e2e", "--no-run"];
    let listed = std::process::Command::new("cargo")
        .args(tests)
        .args(["--message-format", "json"])
        .current_dir(crate::root())
        .stderr(std::process::Stdio::null())
        .output()?;
    let program = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| {
            let target = &message["target"];
            target["name"] == "pressrun_kernels" && message["profile"]["test"] == true
        })
        .find_map(|message| message["executable"].as_str().map(str::to_owned));
    let Some(program) = program else { bail!("the kernels' test program was not listed") };
    run(VALGRIND, &["--quiet", "--error-exitcode=9", &program, "--quiet"])
}

fn documentation() -> Result<()> {
    // Broken links are denied by the workspace's lints.
    run("cargo", &["doc", "--workspace", "--no-deps", "--quiet"])
}

/// Installs what is missing. What stays missing is an error under `CI=true`, else an announcement;
/// the tests concerned announce themselves as skipped too.
fn system_parts(install: bool) -> Result<()> {
    let missing: Vec<&Part> = PARTS.iter().filter(|p| !exists(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if install && has("apt-get") {
        let packages: Vec<&str> = missing.iter().flat_map(|p| p.packages.iter().copied()).collect();
        if let Err(error) = apt_install(&packages) {
            eprintln!("  {error:#}");
        }
    }
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    for part in PARTS.iter().filter(|p| !exists(p)) {
        let text = format!(
            "`{}` is missing (Debian: {}): {} cannot be tested",
            part.file,
            part.packages.join(" "),
            part.needed_for
        );
        if ci {
            bail!(text);
        }
        eprintln!("SKIPPED: {text}");
    }
    Ok(())
}

fn exists(part: &Part) -> bool {
    std::path::Path::new(part.file).exists()
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let root = succeeds("sh", &["-c", "test $(id -u) = 0"]);
    let (program, before): (&str, &[&str]) =
        if root { ("env", &[]) } else { ("sudo", &["-n", "env"]) };
    if !root && !has("sudo") {
        bail!("not root and no sudo: install by hand: apt-get install {}", packages.join(" "));
    }
    let quiet = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
    run(program, &[before, &quiet, &["update"]].concat())?;
    let install = ["install", "--yes", "--no-install-recommends"];
    run(program, &[before, &quiet, &install, packages].concat())
}
