//! Fetching the whole set once.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use ureq::Agent;

use super::{FILES, NAME, WholeFile};
use crate::idx::unpack;
use crate::{Error, Result, hash};

/// Where the set's makers publish it, in the order in which the addresses are tried.
///
/// The first has no TLS; what comes from either counts only if its checksum is the pinned one.
pub const ADDRESSES: [&str; 2] = [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
];

/// No packed file of the set is as large; a longer answer is something else.
const LONGEST: u64 = 64 << 20;

/// A file of the set after fetching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it was downloaded; otherwise it was there already, with the right content.
    pub downloaded: bool,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Name of the file.
    pub file: &'static str,
    /// Bytes so far.
    pub received: u64,
    /// Bytes in all, if the server says so.
    pub total: Option<u64>,
}

/// Brings the whole set into the subfolder `fashion-mnist` of `dir`, where [`Sources`](crate::Sources)
/// find it.
///
/// Files that are there with the right content are left alone. Others are downloaded from
/// `address`, or from [`ADDRESSES`] if there is none given, as `address/NAME.gz`. A download is
/// unpacked, checked against the pinned SHA-256, written to a temporary file, and only then takes
/// its name in one step: whatever happens, no file is half there.
///
/// # Errors
/// If the folder cannot be made or written, or a file cannot be had: no connection, a status other
/// than 200, a download that breaks off, or other content. If an unpacked file of the usual name is
/// in the folder with other content, which would be read in place of the fetched one.
///
/// # Example
/// ```no_run
/// use pressrun_data::{Fashion, Sources, fashion};
///
/// fashion::fetch("/srv/data".as_ref(), None)?;
/// let fashion = Fashion::load(&Sources::only("/srv/data".as_ref()))?;
/// assert_eq!(fashion.train.len(), 60_000);
/// # Ok::<(), pressrun_data::Error>(())
/// ```
pub fn fetch(dir: &Path, address: Option<&str>) -> Result<[Fetched; 4]> {
    fetch_with(dir, address, |_| {})
}

/// As [`fetch`], and tells `progress` now and then how far it is.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_with(
    dir: &Path,
    address: Option<&str>,
    mut progress: impl FnMut(Progress),
) -> Result<[Fetched; 4]> {
    let addresses = address.map_or(ADDRESSES.to_vec(), |address| vec![address]);
    let [a, b, c, d] = &FILES;
    let mut fetch = |file| fetch_file(&dir.join(NAME), &addresses, file, &mut progress);
    Ok([fetch(a)?, fetch(b)?, fetch(c)?, fetch(d)?])
}

/// Brings one file into `dir` from the first address that has it.
fn fetch_file(
    dir: &Path,
    addresses: &[&str],
    file: &WholeFile,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched> {
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    let unpacked = dir.join(file.name);
    if unpacked.is_file() {
        let content = fs::read(&unpacked).map_err(io_error("read", &unpacked))?;
        return if hash::sha256([&*content]) == file.sha256 {
            Ok(Fetched { path: unpacked, downloaded: false })
        } else {
            Err(Error::InTheWay { path: unpacked, expected: file.sha256 })
        };
    }
    let path = dir.join(format!("{}.gz", file.name));
    if path.is_file() {
        let content = fs::read(&path).map_err(io_error("read", &path))?;
        // One that is damaged is fetched again.
        if unpack(file.name, &content).is_ok_and(|bytes| hash::sha256([&*bytes]) == file.sha256) {
            return Ok(Fetched { path, downloaded: false });
        }
    }
    let mut attempts = Vec::new();
    for address in addresses {
        let url = format!("{}/{}.gz", address.trim_end_matches('/'), file.name);
        match download(&url, file, dir, progress) {
            Ok(temporary) => {
                temporary
                    .persist(&path)
                    .map_err(|failure| io_error("write", &path)(failure.error))?;
                return Ok(Fetched { path, downloaded: true });
            }
            Err(error) => attempts.push(error),
        }
    }
    match attempts.len() {
        1 => Err(attempts.remove(0)),
        _ => Err(Error::EveryAddress { file: file.name, attempts }),
    }
}

/// A checked download in a temporary file of `dir`, which is gone again unless it is kept.
fn download(
    url: &str,
    file: &WholeFile,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<NamedTempFile> {
    let request = |found: String| Error::Request { url: url.to_owned(), found };
    let mut answer = agent().get(url).call().map_err(|error| request(error.to_string()))?;
    if answer.status() != 200 {
        return Err(request(format!("status {}", answer.status())));
    }
    let total = answer.body().content_length();
    // Before the download: a folder that cannot be written is known at once.
    let mut temporary = temporary(file.name, dir).map_err(io_error("create", dir))?;
    let mut packed = Vec::new();
    let mut body = answer.body_mut().as_reader().take(LONGEST + 1);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let broken = |received: &[u8], reason: String| Error::Broken {
            url: url.to_owned(),
            received: received.len() as u64,
            reason,
        };
        match body.read(&mut chunk) {
            // Where a length was announced, an earlier end is an error of the reader's own.
            Ok(0) => break,
            Ok(n) => packed.extend_from_slice(&chunk[..n]),
            Err(error) => return Err(broken(&packed, error.to_string())),
        }
        if packed.len() as u64 > LONGEST {
            return Err(broken(&packed, format!("expected at most {LONGEST}")));
        }
        progress(Progress { file: file.name, received: packed.len() as u64, total });
    }
    // A packed stream that is cut off fails here, also where no length was announced.
    let content = unpack(url, &packed)?;
    let found = hash::sha256([&*content]);
    if found != file.sha256 {
        return Err(Error::Checksum { url: url.to_owned(), expected: file.sha256, found });
    }
    let written = temporary.write_all(&packed).and_then(|()| temporary.as_file().sync_all());
    written.map_err(io_error("write", temporary.path()))?;
    Ok(temporary)
}

/// In the folder where the file will lie: a rename across file systems is not one step.
fn temporary(name: &str, dir: &Path) -> io::Result<NamedTempFile> {
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    // Temporary files are private by default; this one is to be read by whoever may read the folder.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.tempfile_in(dir)
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        // Of the whole body: 26 MB at 45 kB/s.
        .timeout_recv_body(Some(Duration::from_secs(600)))
        .build()
        .new_agent()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests;
