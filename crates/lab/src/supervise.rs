//! Running a study in a process of its own, and surviving whatever becomes of it.
//!
//! The child is this same program, told to run a study and to print one event per line. Its
//! standard input is the leash: when it closes, because the parent asked for cancellation or is
//! gone, the child stops at its next step. So neither side needs signals, and no child is left
//! behind by a parent that was killed.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Result;
use crate::event::Event;
use crate::record::Record;
use crate::run::{Cancel, Profile};

/// Between two looks at the child's memory and clock.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// A cancelled child that does not stop by itself is killed after this long.
const GRACE: Duration = Duration::from_secs(5);
/// A longer line is not an event of ours.
const MAX_LINE: u64 = 64 << 20;
/// What is kept of the child's standard error.
const MAX_STDERR: usize = 8 << 10;

/// What a child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time.
    pub time: Duration,
    /// Resident memory in bytes.
    pub memory: u64,
}

impl Default for Limits {
    /// Twenty minutes, twice what a full profile may take, and 4 GiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(20 * 60), memory: 4 << 30 }
    }
}

/// What to run in a child.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The program, normally `std::env::current_exe()`.
    pub program: PathBuf,
    /// Arguments before the study's own, normally `["run-child"]`.
    pub arguments: Vec<String>,
    /// Slug of the study.
    pub slug: String,
    /// Profile.
    pub profile: Profile,
    /// Number of seeds; the study's default if absent.
    pub seeds: Option<u64>,
    /// Identifier of the run.
    pub run_id: String,
    /// Folder in which whole data sets may lie.
    pub data_dir: Option<PathBuf>,
    /// Limits.
    pub limits: Limits,
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It went through.
    Finished(Box<Record>),
    /// It was cancelled.
    Cancelled,
    /// It failed, crashed or went over a limit; the text says which.
    Failed(String),
}

/// A running child.
#[derive(Debug)]
pub struct Child {
    process: Arc<Mutex<std::process::Child>>,
    leash: Arc<Mutex<Option<ChildStdin>>>,
    stdout: std::process::ChildStdout,
    stderr: std::thread::JoinHandle<String>,
    watch: std::thread::JoinHandle<Option<String>>,
    over: Arc<AtomicBool>,
}

impl Child {
    /// Starts a child.
    ///
    /// # Errors
    /// [`crate::Error::Process`] if the program cannot be started.
    pub fn spawn(spec: &ChildSpec, cancel: &Cancel) -> Result<Self> {
        let mut command = Command::new(&spec.program);
        command.args(&spec.arguments).arg(&spec.slug).args(["--profile", spec.profile.name()]);
        command.args(["--run-id", &spec.run_id]);
        if let Some(seeds) = spec.seeds {
            command.args(["--seeds", &seeds.to_string()]);
        }
        if let Some(dir) = &spec.data_dir {
            command.arg("--data-dir").arg(dir);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let missing = || std::io::Error::other("a pipe of the child is missing");
        let stdout = process.stdout.take().ok_or_else(missing)?;
        let mut stderr = process.stderr.take().ok_or_else(missing)?;
        let leash = Arc::new(Mutex::new(process.stdin.take()));
        let id = process.id();
        let process = Arc::new(Mutex::new(process));
        let over = Arc::new(AtomicBool::new(false));
        let stderr = std::thread::spawn(move || tail(&mut stderr));
        let watch = {
            let (process, leash, over) =
                (Arc::clone(&process), Arc::clone(&leash), Arc::clone(&over));
            let (limits, cancel) = (spec.limits, cancel.clone());
            std::thread::spawn(move || watch(id, limits, &cancel, &process, &leash, &over))
        };
        Ok(Self { process, leash, stdout, stderr, watch, over })
    }

    /// Identifier of the process.
    pub fn id(&self) -> u32 {
        lock(&self.process).id()
    }

    /// Reads the child's events until its end and says how it ended.
    ///
    /// Every event is handed to `sink` as it comes. Lines that are no event are skipped: a library
    /// that prints must not break a run.
    pub fn follow(self, mut sink: impl FnMut(&Event)) -> Ended {
        let mut reader = BufReader::new(self.stdout);
        let mut last = None;
        loop {
            let mut line = Vec::new();
            let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            if !matches!(read, Ok(n) if n > 0) {
                break;
            }
            let Ok(event) = serde_json::from_slice::<Event>(&line) else {
                continue;
            };
            sink(&event);
            if event.is_last() {
                last = Some(event);
            }
        }
        // Standard output is closed: the child is at its end, or will be killed by the watch.
        let status = loop {
            match lock(&self.process).try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) => {}
                Err(error) => break Err(error),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.over.store(true, Ordering::Relaxed);
        drop(lock(&self.leash).take());
        let killed = self.watch.join().unwrap_or_default();
        let stderr = self.stderr.join().unwrap_or_default();
        match (last, killed, status) {
            (Some(Event::Finished { record }), _, _) => Ended::Finished(record),
            (Some(Event::Cancelled), _, _) => Ended::Cancelled,
            (Some(Event::Failed { error }), _, _) => Ended::Failed(error),
            (_, Some(reason), _) if reason.is_empty() => Ended::Cancelled,
            (_, Some(reason), _) => Ended::Failed(reason),
            (_, None, Ok(status)) if stderr.trim().is_empty() => {
                Ended::Failed(format!("the run's process ended without a result ({status})"))
            }
            (_, None, Ok(status)) => {
                Ended::Failed(format!("the run's process ended ({status}): {}", stderr.trim()))
            }
            (_, None, Err(error)) => Ended::Failed(format!("the run's process: {error}")),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the child when it is cancelled or goes over a limit. Returns why it was killed, an empty
/// string for a cancelled child that would not stop.
fn watch(
    id: u32,
    limits: Limits,
    cancel: &Cancel,
    process: &Mutex<std::process::Child>,
    leash: &Mutex<Option<ChildStdin>>,
    over: &AtomicBool,
) -> Option<String> {
    let started = Instant::now();
    let mut cancelled: Option<Instant> = None;
    while !over.load(Ordering::Relaxed) {
        if cancel.is_cancelled() && cancelled.is_none() {
            cancelled = Some(Instant::now());
            drop(lock(leash).take());
        }
        let reason = if cancelled.is_some_and(|since| since.elapsed() > GRACE) {
            Some(String::new())
        } else if started.elapsed() > limits.time {
            Some(format!("the run took longer than its limit of {} s", limits.time.as_secs()))
        } else {
            resident(id).filter(|&bytes| bytes > limits.memory).map(|bytes| {
                let mib = |b: u64| b >> 20;
                format!(
                    "the run used {} MiB of memory; its limit is {} MiB",
                    mib(bytes),
                    mib(limits.memory)
                )
            })
        };
        if let Some(reason) = reason {
            // It may have ended by itself in between; then there is nothing left to kill.
            let _ = lock(process).kill();
            return Some(reason);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
    None
}

/// Resident memory of a process. `None` where the system does not tell: then only time is limited.
fn resident(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The end of what the child wrote to standard error, read so that it never blocks on a full pipe.
fn tail(stderr: &mut impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..n]);
        if kept.len() > 2 * MAX_STDERR {
            kept.drain(..kept.len() - MAX_STDERR);
        }
    }
    let from = kept.len().saturating_sub(MAX_STDERR);
    String::from_utf8_lossy(&kept[from..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell script in the place of a study: `sh -c SCRIPT sh SLUG --profile ...`.
    fn spec(script: &str, limits: Limits) -> ChildSpec {
        ChildSpec {
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into(), "sh".into()],
            slug: "demo".into(),
            profile: Profile::Quick,
            seeds: None,
            run_id: "r".into(),
            data_dir: None,
            limits,
        }
    }

    fn run(script: &str, limits: Limits, cancel: &Cancel) -> (Ended, Vec<Event>) {
        let mut events = Vec::new();
        let child = Child::spawn(&spec(script, limits), cancel).unwrap();
        let ended = child.follow(|event| events.push(event.clone()));
        (ended, events)
    }

    #[test]
    fn reads_events_and_skips_what_is_none() {
        let script =
            r#"echo 'noise'; echo '{"event":"log","text":"hello"}'; echo '{"event":"cancelled"}'"#;
        let (ended, events) = run(script, Limits::default(), &Cancel::default());
        assert_eq!(ended, Ended::Cancelled);
        assert_eq!(events[0], Event::Log { text: "hello".into() });
    }

    #[test]
    fn a_crash_is_a_failure_with_the_last_words() {
        let (ended, _) = run("echo boom >&2; exit 101", Limits::default(), &Cancel::default());
        let Ended::Failed(text) = ended else { panic!("{ended:?}") };
        assert!(text.contains("boom") && text.contains("101"), "{text}");
    }

    #[test]
    fn time_limit() {
        let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
        let (ended, _) = run("exec sleep 60", limits, &Cancel::default());
        assert!(
            matches!(&ended, Ended::Failed(t) if t.contains("longer than its limit")),
            "{ended:?}"
        );
    }

    #[test]
    fn memory_limit() {
        let limits = Limits { memory: 1 << 10, ..Limits::default() };
        let (ended, _) = run("exec sleep 60", limits, &Cancel::default());
        assert!(
            matches!(&ended, Ended::Failed(t) if t.contains("its limit is 0 MiB")),
            "{ended:?}"
        );
    }

    #[test]
    fn cancelling_closes_the_leash() {
        let cancel = Cancel::default();
        cancel.cancel();
        // `read` fails when standard input closes: the script then ends of its own accord.
        let script = r#"read line || echo '{"event":"cancelled"}'"#;
        let (ended, events) = run(script, Limits::default(), &cancel);
        assert_eq!((ended, events.len()), (Ended::Cancelled, 1));
    }
}
