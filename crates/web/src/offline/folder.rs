//! The folder: filled beside its place, and put there when it is whole.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Error, Report};

/// By this file a folder is known as one that may be replaced.
pub(super) const MARKER: &str = "pressrun-pages.json";

/// A folder that is being filled.
#[derive(Debug)]
pub(super) struct New {
    temporary: TempDir,
    place: PathBuf,
}

impl New {
    /// A folder beside `place`, on the same disk.
    pub(super) fn beside(place: &Path) -> Result<Self, Error> {
        may_be_replaced(place)?;
        let failed = |source| Error::Io { path: place.to_owned(), source };
        let absolute = std::path::absolute(place).map_err(failed)?;
        let parent = absolute.parent().ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?;
        fs::create_dir_all(parent).map_err(failed)?;
        let temporary = tempfile::Builder::new().prefix(".pressrun-pages-").tempdir_in(parent);
        Ok(Self { temporary: temporary.map_err(failed)?, place: absolute })
    }

    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Puts it in its place.
    pub(super) fn take_place(self, report: &Report) -> Result<(), Error> {
        let Self { temporary, place } = self;
        let failed = |source| Error::Io { path: place.clone(), source };
        let marker = serde_json::json!({
            "written_by": "pressrun export --html",
            "files": report.files,
            "bytes": report.bytes,
        });
        let text = format!("{marker}\n");
        fs::write(temporary.path().join(MARKER), text).map_err(failed)?;
        // Temporary folders are their owner's alone; pages are for everybody.
        readable(temporary.path()).map_err(failed)?;
        // Somebody may have put something there meanwhile.
        may_be_replaced(&place)?;
        let old = tempfile::Builder::new()
            .prefix(".pressrun-pages-")
            .tempdir_in(place.parent().unwrap_or(Path::new(".")));
        let old = old.map_err(failed)?;
        match fs::rename(&place, old.path().join("old")) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if let Err(error) = fs::rename(temporary.path(), &place) {
            // What was there comes back if it can.
            let _ = fs::rename(old.path().join("old"), &place);
            return Err(failed(error));
        }
        // It has moved: there is nothing left to delete.
        let _ = temporary.keep();
        Ok(())
    }
}

fn may_be_replaced(folder: &Path) -> Result<(), Error> {
    let occupied = || Error::Occupied { folder: folder.to_owned() };
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) if folder.join(MARKER).is_file() => Ok(()),
            Some(_) => Err(occupied()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(occupied()),
        Err(source) => Err(Error::Io { path: folder.to_owned(), source }),
    }
}

#[cfg(unix)]
fn readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_folder_is_replaced() {
        let outer = tempfile::tempdir().unwrap();
        let place = outer.path().join("a/pages");
        let put = |text: &str| {
            let new = New::beside(&place)?;
            fs::write(new.path().join("index.html"), text).unwrap();
            new.take_place(&Report::default())
        };
        put("one").unwrap();
        put("two").unwrap();
        assert_eq!(fs::read_to_string(place.join("index.html")).unwrap(), "two");
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1);

        fs::remove_file(place.join(MARKER)).unwrap();
        assert!(matches!(put("three").unwrap_err(), Error::Occupied { .. }));
        assert_eq!(fs::read_to_string(place.join("index.html")).unwrap(), "two");
        let file = outer.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(New::beside(&file).unwrap_err(), Error::Occupied { .. }));
        // One that is given up leaves nothing.
        drop(New::beside(&outer.path().join("b")).unwrap());
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
    }
}
