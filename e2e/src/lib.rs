#![doc = include_str!("../README.md")]

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

fn environment() -> Result<PathBuf, String> {
    const REQUIREMENTS: &str = include_str!("../requirements.txt");
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| own.join("../target"), PathBuf::from);
    let folder = target.join("e2e-python");
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
