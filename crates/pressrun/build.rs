//! Writes into the binary what a record says about the software: commit, compiler, numeric crates.

use std::path::Path;
use std::process::Command;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    for file in ["HEAD", "index"] {
        let path = root.join(".git").join(file);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    println!("cargo::rustc-env=PRESSRUN_COMMIT={}", commit(&root));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let rustc = output(&rustc, &["--version"], &root).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=PRESSRUN_RUSTC={rustc}");
    println!("cargo::rustc-env=PRESSRUN_CRATES={}", numeric_crates(&root).join(";"));
}

/// The commit; `-dirty` if a tracked source file differs, for then the commit is not what ran.
fn commit(root: &Path) -> String {
    let Some(commit) = output("git", &["rev-parse", "HEAD"], root) else {
        return "unknown".into();
    };
    // Records and documents do not change what the program computes.
    let tracked =
        ["status", "--porcelain", "--untracked-files=no", "--", "*.rs", "*.toml", "*.lock"];
    match output("git", &tracked, root) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit}-dirty"),
    }
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `name version` of the crates on which a study's numbers depend.
fn numeric_crates(root: &Path) -> Vec<String> {
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let mut found = Vec::new();
    for package in lock.split("[[package]]") {
        let field = |key: &str| {
            let line = package.lines().find(|l| l.starts_with(&format!("{key} = ")))?;
            line.split('"').nth(1).map(str::to_owned)
        };
        let (Some(name), Some(version)) = (field("name"), field("version")) else { continue };
        if ["burn", "burn-flex", "gemm"].contains(&name.as_str()) {
            found.push(format!("{name} {version}"));
        }
    }
    found
}
