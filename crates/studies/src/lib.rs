#![doc = include_str!("../README.md")]
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod aw_moe;
pub mod comet;
pub mod evomoe;
pub mod fast_ibp;
pub mod gates;
pub mod jei_dnn;
pub mod moe_customization;
pub mod optfs;
pub mod phatgoose;
mod pictures;
mod rates;
pub mod softmax_temperature_moe;
pub mod topk_gaussian_moe;

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

/// Written by `build.rs`: studies of no single paper.
const COMPARISONS: &[Shelf] = include!(concat!(env!("OUT_DIR"), "/comparisons.rs"));

/// All papers of this build with the studies that run them, and the comparisons.
///
/// # Errors
/// If a `paper.toml`, `comparison.toml` or `record.json` does not parse; the tests of this crate
/// make sure that all of a release do.
pub fn library() -> Result<Library> {
    Ok(Library::new(entries(SHELVES)?).with_comparisons(entries(COMPARISONS)?))
}

fn entries(shelves: &[Shelf]) -> Result<Vec<Entry>> {
    let entry = |shelf: &Shelf| {
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
    };
    shelves.iter().map(entry).collect()
}

/// The abstracts of all papers of this build, in the order of their slugs: the text on which
/// language models of the studies train.
pub fn abstracts() -> Result<Vec<String>> {
    let manifests = SHELVES.iter().map(|shelf| Manifest::parse(shelf.manifest, shelf.folder));
    manifests.map(|manifest| Ok(manifest?.summary)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use pressrun_lab::{Profile, RECORD_SCHEMA, Verdict};

    use super::*;

    #[test]
    fn all_63_papers_are_on_the_shelf_each_once() {
        let library = library().unwrap();
        assert_eq!(library.entries().len(), 63);
        let ids: HashSet<&str> = library.entries().iter().map(|e| e.manifest.paper_id()).collect();
        assert_eq!(ids.len(), 63);
        for (shelf, entry) in SHELVES.iter().zip(library.entries()) {
            assert_eq!(shelf.folder, entry.manifest.slug.replace('-', "_"));
            assert!(!entry.manifest.claims.is_empty(), "{} claims nothing", shelf.folder);
        }
    }

    #[test]
    fn every_records_verdicts_follow_from_its_numbers() {
        let library = library().unwrap();
        for entry in library.entries().iter().chain(library.comparisons()) {
            let Some(record) = &entry.record else { continue };
            let slug = &entry.manifest.slug;
            assert_eq!(record.slug, *slug);
            assert_eq!(record.schema, RECORD_SCHEMA, "{slug}");
            assert_eq!(record.profile, Profile::Full, "{slug}");
            assert!(!record.software.commit.ends_with("-dirty"), "{slug}: nobody can repeat it");
            let again = entry.judge(&record.results()).unwrap();
            assert!(Verdict::all_agree(&again, &record.verdicts), "{slug}: {again:#?}");
        }
    }

    #[test]
    fn a_study_says_what_it_ran_and_declares_its_checks() {
        for entry in library().unwrap().entries().iter().filter(|e| e.study.is_some()) {
            let slug = &entry.manifest.slug;
            let spec =
                entry.manifest.study.as_ref().unwrap_or_else(|| panic!("{slug}: no [study]"));
            assert!(!spec.setup.is_empty() && !spec.differences.is_empty(), "{slug}");
            for claim in &entry.manifest.claims {
                let tested = !claim.checks.is_empty() || claim.not_tested.is_some();
                assert!(tested, "{slug} {}: neither checks nor a reason", claim.id);
            }
        }
    }

    #[test]
    fn abstracts_are_those_of_the_papers() {
        let abstracts = abstracts().unwrap();
        assert_eq!(abstracts.len(), 63);
        assert!(abstracts.iter().all(|text| text.len() > 200));
    }
}
