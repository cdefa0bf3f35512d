#![doc = include_str!("../README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod evomoe;
pub mod fast_ibp;
pub mod optfs;

use pressrun_lab::{Entry, Error, Library, Manifest, Record, Result, Source, Study};

/// A folder of `src` as the build script found it.
struct Shelf {
    folder: &'static str,
    manifest: &'static str,
    study: Option<fn() -> Box<dyn Study>>,
    record: Option<&'static str>,
    sources: &'static [Source],
}

/// Written by `build.rs`.
const SHELVES: &[Shelf] = include!(concat!(env!("OUT_DIR"), "/shelves.rs"));

/// All papers of this build with the studies that run them.
///
/// # Errors
/// If a `paper.toml` or `record.json` does not parse; the tests of this crate make sure that all
/// of a release do.
pub fn library() -> Result<Library> {
    let entries = SHELVES.iter().map(|shelf| {
        let record = shelf.record.map(|text| {
            serde_json::from_str::<Record>(text).map_err(|e| Error::Record {
                path: format!("crates/studies/src/{}/record.json", shelf.folder).into(),
                message: e.to_string(),
            })
        });
        Ok(Entry {
            manifest: Manifest::parse(shelf.manifest, shelf.folder)?,
            study: shelf.study.map(|make| make()),
            record: record.transpose()?,
            sources: shelf.sources.to_vec(),
        })
    });
    Ok(Library::new(entries.collect::<Result<_>>()?))
}

/// The abstracts of all papers of this build, in the order of their slugs: the text on which
/// language models of the studies train.
pub fn abstracts() -> Result<Vec<String>> {
    let manifests = SHELVES.iter().map(|shelf| Manifest::parse(shelf.manifest, shelf.folder));
    manifests.map(|manifest| Ok(manifest?.summary)).collect()
}
