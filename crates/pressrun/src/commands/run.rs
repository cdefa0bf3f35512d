//! `pressrun run`: a study in a child process, with a progress bar or a stream of JSON.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use pressrun_lab::{
    Cancel, Child, ChildSpec, Ended, Entry, Error, Event, Limits, Options, Profile, Record,
    execute, new_run_id,
};

use super::{library, software};
use crate::cli::{ChildArgs, RunArgs};
use crate::text;

/// Exit status of a cancelled run: that of a program ended by an interrupt.
const CANCELLED: u8 = 130;

/// Runs a study and shows it.
pub async fn run(args: RunArgs) -> Result<ExitCode> {
    let library = library()?;
    let entry = library.runnable(&args.slug)?;
    if args.record {
        check_recordable(entry, &args)?;
    }
    let cancel = Cancel::default();
    let on_interrupt = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_interrupt.cancel();
        }
    });
    let spec = ChildSpec {
        program: std::env::current_exe().context("finding this program")?,
        arguments: vec!["run-child".into()],
        slug: args.slug.clone(),
        profile: args.profile,
        seeds: args.seeds,
        run_id: new_run_id(),
        data_dir: args.data_sets.data_dir.clone(),
        limits: Limits::default(),
    };
    let child = Child::spawn(&spec, &cancel)?;
    let json = args.json;
    let ended = tokio::task::spawn_blocking(move || {
        let display = Display::new(json);
        child.follow(|event| display.show(event))
    })
    .await?;
    match ended {
        Ended::Finished(record) => {
            if !args.json {
                print!("{}", text::record(entry, &record));
            }
            if args.record {
                let path = write_record(entry, *record, args.reason)?;
                eprintln!("recorded in {}", path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Ended::Cancelled => {
            eprintln!("cancelled");
            Ok(ExitCode::from(CANCELLED))
        }
        Ended::Failed(reason) => bail!("the run failed: {reason}"),
    }
}

/// The other side: runs the study here and prints one event per line.
pub fn child(args: &ChildArgs) -> Result<ExitCode> {
    let library = library()?;
    let entry = library.runnable(&args.slug)?;
    let mut options = Options::new(args.profile);
    options.seeds = args.seeds;
    options.data_dir.clone_from(&args.data_sets.data_dir);
    options.run_id.clone_from(&args.run_id);
    options.software = software();
    let leash = options.cancel.clone();
    std::thread::spawn(move || {
        // Blocks until the supervisor closes our standard input, or is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        leash.cancel();
    });
    // An interrupt from the terminal reaches the whole group; the supervisor decides, by the leash.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {}
        }
    });
    let output = Mutex::new(std::io::stdout());
    let broken = options.cancel.clone();
    let sink = |event: &Event| {
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.write_all(&line).and_then(|()| output.flush()).is_err() {
            // Nobody listens any more.
            broken.cancel();
        }
    };
    match execute(entry, &options, &sink) {
        Ok(_record) => Ok(ExitCode::SUCCESS),
        Err(Error::Cancelled) => {
            sink(&Event::Cancelled);
            Ok(ExitCode::from(CANCELLED))
        }
        Err(error) => {
            sink(&Event::Failed { error: error.to_string() });
            Ok(ExitCode::from(2))
        }
    }
}

/// What the terminal shows of a run.
struct Display {
    json: bool,
    bar: ProgressBar,
}

impl Display {
    fn new(json: bool) -> Self {
        let bar = if json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        let style = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {percent:>3}% {msg:40}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { json, bar }
    }

    fn show(&self, event: &Event) {
        if self.json {
            let line = serde_json::to_string(event).unwrap_or_default();
            // A reader that went away ends us by the next write; the run itself is unharmed.
            let _ = writeln!(std::io::stdout(), "{line}");
            return;
        }
        match event {
            Event::Progress { done, total } => {
                self.bar.set_length(*total);
                self.bar.set_position(*done);
            }
            Event::Point { method, series, value: Some(value), .. } => {
                self.bar.set_message(format!("{method}: {series} {value:.4}"));
            }
            Event::Log { text } if self.bar.is_hidden() => eprintln!("{text}"),
            Event::Log { text } => self.bar.println(text),
            _ if event.is_last() => self.bar.finish_and_clear(),
            _ => {}
        }
    }
}

/// Folder of the paper in the source tree from which this program was built.
fn folder(entry: &Entry) -> PathBuf {
    let studies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../studies/src");
    studies.join(entry.manifest.slug.replace('-', "_"))
}

/// Refuses before the run what could not be recorded after it.
fn check_recordable(entry: &Entry, args: &RunArgs) -> Result<()> {
    let folder = folder(entry);
    if args.profile != Profile::Full {
        bail!("only a full run is recorded: add `--profile full`");
    }
    if !["paper.toml", "comparison.toml"].iter().any(|file| folder.join(file).is_file()) {
        bail!("`{}` is not there: records belong to a checkout of the source", folder.display());
    }
    // A record names the commit that made it, and anybody must be able to build that commit again.
    let sources = ["status", "--porcelain", "--", ":/*.rs", ":/*.toml", ":/*.lock"];
    let status = Command::new("git").args(sources).current_dir(&folder).output();
    let status = status.context("asking git whether the source is committed")?;
    if !status.status.success() || !status.stdout.is_empty() {
        bail!("the source is not committed: commit, build, then record");
    }
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&folder).output()?;
    let head = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    if software().commit != head {
        bail!(
            "this program was built from {}, the source is at {head}: build again",
            software().commit
        );
    }
    if folder.join("record.json").exists() && args.reason.is_none() {
        bail!("there is a record already: say why a new one supersedes it with `--reason TEXT`");
    }
    Ok(())
}

/// Writes the record beside the study, whole or not at all.
fn write_record(entry: &Entry, mut record: Record, reason: Option<String>) -> Result<PathBuf> {
    let path = folder(entry).join("record.json");
    if let Ok(old) = std::fs::read_to_string(&path) {
        let old: Record = serde_json::from_str(&old)
            .with_context(|| format!("reading the record to supersede, {}", path.display()))?;
        record.supersedes = Some(old.run);
    }
    record.reason = reason;
    record.command.push_str(" --record");
    let part = path.with_extension("json.part");
    let text = text::compact_json(&serde_json::to_value(&record)?);
    std::fs::write(&part, text).with_context(|| format!("writing {}", part.display()))?;
    std::fs::rename(&part, &path).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
