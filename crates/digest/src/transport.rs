//! Ways in which a message leaves.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use crate::{Error, Result};

/// How messages leave.
#[derive(Debug, Clone)]
pub enum Transport {
    /// As files in this folder, one each, that mail programs open: where no server is set.
    Files(PathBuf),
}

impl Transport {
    /// Hands a message over; what answers is noted. The name tells the message from all others and is
    /// the same at every attempt.
    ///
    /// # Errors
    /// If it was not taken over; another attempt may succeed.
    pub(crate) fn deliver(&self, name: &str, message: &[u8]) -> Result<String> {
        match self {
            Self::Files(folder) => {
                let path = folder.join(format!("{name}.eml"));
                let failed = |source| Error::Io { path: path.clone(), source };
                fs::create_dir_all(folder).map_err(failed)?;
                // Whole or not at all, for whoever watches the folder.
                let unfinished = folder.join(format!(".{name}.part"));
                let mut file = create(&unfinished).map_err(failed)?;
                file.write_all(message).and_then(|()| file.sync_all()).map_err(failed)?;
                fs::rename(&unfinished, &path).map_err(failed)?;
                Ok(format!("written to `{}`", path.display()))
            }
        }
    }
}

/// A file that its owner alone can read: there are sign-in links in it.
fn create(path: &std::path::Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
