//! Where whole data sets may lie, and where one was found.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Images;

/// Where operating systems put data sets: Debian's packages `dataset-*`.
const SYSTEM: &str = "/usr/share/datasets";

/// Folders in which a whole data set is looked for, in this order; the embedded part comes last.
///
/// # Example
/// ```
/// use pressrun_data::Sources;
///
/// assert_eq!(Sources::embedded().dirs().count(), 0);
/// let sources = Sources::everywhere(Some("/srv/data".as_ref()));
/// let first = sources.dirs().next().unwrap();
/// assert_eq!(first, std::path::Path::new("/srv/data"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    dirs: Vec<PathBuf>,
}

impl Sources {
    /// Only what is embedded: the same data on every machine.
    pub fn embedded() -> Self {
        Self::default()
    }

    /// This folder, then what is embedded.
    pub fn only(dir: &Path) -> Self {
        Self { dirs: vec![dir.to_owned()] }
    }

    /// The user's folder if there is one, then the system's, then what is embedded.
    pub fn everywhere(data_dir: Option<&Path>) -> Self {
        let dirs = data_dir.into_iter().chain([Path::new(SYSTEM)]);
        Self { dirs: dirs.map(Path::to_owned).collect() }
    }

    /// The folders, in the order in which they are looked at.
    pub fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.dirs.iter().map(PathBuf::as_path)
    }
}

/// Where a data set came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the program itself.
    Embedded,
    /// From the files of this folder.
    Folder(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => write!(f, "embedded"),
            Self::Folder(dir) => write!(f, "{}", dir.display()),
        }
    }
}

/// Which data a run used: what its record says about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name of the data set's card.
    pub card: String,
    /// Where it was found.
    pub origin: Origin,
    /// SHA-256 of the unpacked files, one after another in the order of the card.
    pub sha256: String,
    /// Whether the checksum is the one that the card gives for these files.
    pub verified: bool,
    /// Number of training rows found.
    pub train: usize,
    /// Number of test rows found.
    pub test: usize,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { card, origin, sha256, verified, train, test } = self;
        let doubt = if *verified { "" } else { ", not the published files" };
        write!(f, "{card} ({origin}{doubt}): {train} train, {test} test, sha256 {sha256}")
    }
}

/// Training and test images with where they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Images to train on.
    pub train: Images,
    /// Images to test on.
    pub test: Images,
    /// Where they came from.
    pub provenance: Provenance,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provenance_says_whether_the_files_are_the_published_ones() {
        let mut provenance = Provenance {
            card: "fashion-mnist".into(),
            origin: Origin::Folder("/srv/data".into()),
            sha256: "ab12".into(),
            verified: true,
            train: 3,
            test: 2,
        };
        assert_eq!(
            provenance.to_string(),
            "fashion-mnist (/srv/data): 3 train, 2 test, sha256 ab12"
        );
        provenance.verified = false;
        assert_eq!(
            provenance.to_string(),
            "fashion-mnist (/srv/data, not the published files): 3 train, 2 test, sha256 ab12"
        );
        let json = serde_json::to_string(&provenance).unwrap();
        assert_eq!(serde_json::from_str::<Provenance>(&json).unwrap(), provenance);
    }

    #[test]
    fn the_users_folder_comes_before_the_systems() {
        let sources = Sources::everywhere(Some(Path::new("/mine")));
        let dirs: Vec<_> = sources.dirs().collect();
        assert_eq!(dirs, [Path::new("/mine"), Path::new(SYSTEM)]);
    }
}
