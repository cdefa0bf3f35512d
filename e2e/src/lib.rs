#![doc = include_str!("../README.md")]

pub mod mail;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Python of a virtual environment that has the packages of `requirements.txt`.
///
/// It is made beside the build at the first call, by one process at a time, and again when the
/// requirements change. `None`, after saying so, where Python or its packages cannot be had.
///
/// # Panics
/// In place of `None` under `CI=true`.
pub fn python() -> Option<PathBuf> {
    match environment() {
        Ok(python) => Some(python),
        Err(problem) => {
            let text = format!("{problem}: other readers of the site cannot be tried");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
            eprintln!("SKIPPED: {text}");
            None
        }
    }
}

/// The script of axe-core, which tells by rules what a page lacks for people who cannot see or point.
///
/// It is fetched from npm once and compared with the checksum of that version. `None`, after saying so,
/// where it cannot be had.
///
/// # Panics
/// In place of `None` under `CI=true`.
pub fn axe() -> Option<String> {
    let python = python()?;
    let folder = target().join("e2e-axe");
    let script = folder.join(format!("axe-{AXE}.js"));
    let fetched = if script.is_file() {
        Ok(())
    } else {
        let mut fetch = Command::new(python);
        run(fetch.arg("-c").arg(FETCH_AXE).args([AXE, AXE_SHA512]).arg(&script))
    };
    match fetched.and_then(|()| std::fs::read_to_string(&script).map_err(|e| e.to_string())) {
        Ok(text) => Some(text),
        Err(problem) => {
            let text = format!("{problem}: pages cannot be checked by axe-core");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
            eprintln!("SKIPPED: {text}");
            None
        }
    }
}

/// The version of axe-core, and the checksum that npm states for its archive.
const AXE: &str = "4.14.1";
const AXE_SHA512: &str =
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==";

/// Fetches the archive, compares it, and puts the script in its place when it is whole.
const FETCH_AXE: &str = r#"
import base64, hashlib, io, os, sys, tarfile, urllib.request
version, checksum, place = sys.argv[1:]
url = f"https://registry.npmjs.org/axe-core/-/axe-core-{version}.tgz"
archive = urllib.request.urlopen(url, timeout=120).read()
found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
if found != checksum:
    sys.exit(f"{url}: checksum {found}, expected {checksum}")
script = tarfile.open(fileobj=io.BytesIO(archive)).extractfile("package/axe.min.js").read()
os.makedirs(os.path.dirname(place), exist_ok=True)
with open(f"{place}.{os.getpid()}", "wb") as file:
    file.write(script)
os.replace(file.name, place)
"#;

fn target() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| own.join("../target"), PathBuf::from)
}

fn environment() -> Result<PathBuf, String> {
    const REQUIREMENTS: &str = include_str!("../requirements.txt");
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = target().join("e2e-python");
    let python = folder.join("bin/python");
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(said)?;
    let lock = File::create(folder.join("lock")).map_err(said)?;
    lock.lock().map_err(said)?;
    let made = folder.join("made");
    if std::fs::read_to_string(&made).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let list = own.join("requirements.txt");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(list))?;
    std::fs::write(&made, REQUIREMENTS).map_err(said)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}
