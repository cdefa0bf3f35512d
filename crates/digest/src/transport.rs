//! Ways in which a message leaves.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lettre::address::Envelope;
use lettre::transport::smtp::client::AsyncSmtpConnection;

use crate::smtp::{Handed, Smtp};

/// How messages leave.
#[derive(Debug, Clone)]
pub enum Transport {
    /// As files in this folder, one each, that mail programs open: where no server is set.
    Files(PathBuf),
    /// To a server.
    Smtp(Box<Smtp>),
}

impl Transport {
    /// Hands a message over; what answers is noted. The name tells the message from all others and is
    /// the same at every attempt.
    pub(crate) async fn deliver(
        &self,
        connection: &mut Option<AsyncSmtpConnection>,
        name: String,
        envelope: &Envelope,
        message: Vec<u8>,
    ) -> Handed {
        match self {
            Self::Smtp(server) => server.hand_over(connection, envelope, &message).await,
            Self::Files(folder) => {
                let folder = folder.clone();
                let written = tokio::task::spawn_blocking(move || write(&folder, &name, &message));
                match written.await {
                    Ok(Ok(path)) => Handed::Over(format!("written to `{}`", path.display())),
                    Ok(Err(error)) => Handed::Down(error),
                    Err(error) => Handed::Later(error.to_string()),
                }
            }
        }
    }
}

/// Writes a file whole or not at all, for whoever watches the folder.
fn write(folder: &Path, name: &str, message: &[u8]) -> Result<PathBuf, String> {
    let path = folder.join(format!("{name}.eml"));
    let unfinished = folder.join(format!(".{name}.part"));
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file = create(&unfinished)?;
        file.write_all(message)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    });
    written.map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(path)
}

/// A file that its owner alone can read: there are sign-in links in it.
fn create(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
