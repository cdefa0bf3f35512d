//! The site as a folder of pages that open without a server.
//!
//! The pages are those of the site: its own router is asked, and what it answers is rewritten, so that
//! links lead to files of the folder. What a folder cannot do goes: forms, scripts, and links to what
//! is not in it; where the living site is known, such links lead there.
//!
//! | in the folder | left out |
//! |---|---|
//! | front page, days, weeks, months, all papers, the first pages of trending | other orders of a list |
//! | every paper, the studies, comparisons, methodology | search beyond titles and authors |
//! | runs that a page names, records as JSON, the schema of a record | streams, accounts, profiles |
//! | feeds, and citations of the papers with a study, if the living site is known, as they name it | both of everything else |

mod crawl;
mod folder;
mod place;
mod rewrite;
mod search;

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use jiff::Timestamp;

use crate::Site;
use crate::view::date;

/// Why a site could not be written as pages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder holds something else.
    #[error(
        "`{folder}` is not empty and was not written by `pressrun export --html`; expected a new \
         folder, or one that was"
    )]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// A page of the site failed.
    #[error("`{address}` of the site answered {status}")]
    Answer {
        /// Its address.
        address: String,
        /// The status.
        status: StatusCode,
    },
    /// The catalogue could not be read.
    #[error("reading the catalogue: {0}")]
    Catalog(#[from] pressrun_catalog::Error),
    /// A page could not be made.
    #[error("making a page failed: {0}")]
    Failed(String),
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether titles and authors can be searched; with very many papers they cannot.
    pub searchable: bool,
}

/// Writes the site into a folder that is new, empty, or was written so before; all of it or nothing.
///
/// # Errors
/// [`Error::Occupied`] if the folder holds anything else, and whatever else goes wrong.
pub async fn export(site: Site, folder: &Path) -> Result<Report, Error> {
    let new = folder::New::beside(folder)?;
    let note = note(site.settings.public_url.as_deref());
    let report = crawl::write(site, new.path(), &note).await?;
    new.take_place(&report)?;
    Ok(report)
}

/// What stands on every page, under its content.
fn note(living: Option<&str>) -> maud::Markup {
    maud::html! {
        p.fine.copy {
            "A copy of this site, as of " (date::moment(Timestamp::now())) ". "
            @match living {
                Some(url) => {
                    "Voting, searching in full and running studies are on "
                    a href=(url) { "the living site" } "."
                }
                None => "Voting and running studies need a site that runs.",
            }
        }
    }
}
