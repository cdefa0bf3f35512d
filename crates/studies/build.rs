//! Collects the papers: every folder of `src` with a `paper.toml` becomes an entry of the library,
//! with its study where a `mod.rs` exists, its source files, and its record; every folder with a
//! `comparison.toml` a comparison across papers.
//!
//! Adding a paper is adding a folder; only `pub mod NAME;` in `lib.rs` is written by hand, because
//! rustfmt and editors find modules by that line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets this"));
    let src = root.join("src");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build.rs");
    let mut folders: Vec<PathBuf> = entries(&src).into_iter().filter(|p| p.is_dir()).collect();
    folders.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets this"));
    for (file, list) in [("paper.toml", "shelves.rs"), ("comparison.toml", "comparisons.rs")] {
        let path = out.join(list);
        let code = shelves(&folders, file);
        fs::write(&path, code).unwrap_or_else(|e| panic!("writing {}: {e}", path.display()));
    }
}

/// The entries of the folders that hold `file`.
fn shelves(folders: &[PathBuf], file: &str) -> String {
    let mut code = String::from("&[\n");
    for folder in folders.iter().filter(|f| f.join(file).is_file()) {
        let name = folder.file_name().and_then(|n| n.to_str()).expect("UTF-8 folder name");
        let has_code = folder.join("mod.rs").is_file();
        let study = if has_code { format!("Some({name}::study)") } else { "None".into() };
        let record = folder.join("record.json");
        let record =
            if record.is_file() { format!("Some({})", include(&record)) } else { "None".into() };
        writeln!(
            code,
            "    Shelf {{ folder: {name:?}, manifest: {}, study: {study}, record: {record}, sources: &[{}] }},",
            include(&folder.join(file)),
            sources(folder, name),
        )
        .expect("writing to a string");
    }
    code.push(']');
    code
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|e| panic!("reading {}: {e}", folder.display()));
    read.map(|entry| entry.expect("a readable folder entry").path()).collect()
}

fn include(path: &Path) -> String {
    format!("include_str!({:?})", path.to_str().expect("UTF-8 path"))
}

fn sources(folder: &Path, name: &str) -> String {
    let mut files: Vec<PathBuf> = entries(folder);
    files.retain(|p| p.extension().is_some_and(|e| e == "rs"));
    // `mod.rs` first: it is where a reader begins.
    files.sort_by_key(|p| (!p.ends_with("mod.rs"), p.clone()));
    let one = |p: &PathBuf| {
        let file = p.file_name().and_then(|n| n.to_str()).expect("UTF-8 file name");
        format!("Source {{ path: \"crates/studies/src/{name}/{file}\", text: {} }}", include(p))
    };
    files.iter().map(one).collect::<Vec<_>>().join(", ")
}
