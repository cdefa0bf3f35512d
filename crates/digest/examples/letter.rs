//! A letter to look at: `cargo run -p pressrun-digest --example letter -- html > letter.html`, or
//! `text`. More words make another letter of it: `search`, `late`, `test`, `none`, `hard` (titles
//! that want to do harm), and a number for so many papers; `time` tells how long one takes to write.
//!
//! The papers are those of the studies, with made-up votes and verdicts.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::civil::date;
use pressrun_catalog::{
    Frequency, NewPaper, NoPapers, Paper, Preferences, Schedule, Slot, VerdictCounts,
};
use pressrun_digest::letter::{Edition, Links, write};
use pressrun_lab::Manifest;

/// Letters whose time is taken.
const LETTERS: u32 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let number = words.iter().find_map(|word| word.parse().ok()).unwrap_or(12);
    let mut edition = edition(papers()?, number);
    edition.late = has("late");
    edition.test = has("test");
    if has("search") {
        edition.preferences.query = "experts routing".to_owned();
        edition.preferences.min_votes = 5;
    }
    if has("hard") {
        let titles = ["x".repeat(500), "مرحبا <script> 😀\r\n\u{202e}123".to_owned()];
        for (paper, title) in edition.papers.iter_mut().zip(titles) {
            *paper = Arc::new(Paper { title, ..Paper::clone(paper) });
        }
    }
    if has("none") {
        edition.papers.clear();
        edition.reason = Some(NoPapers::FewVotes);
        edition.preferences.min_votes = 40;
        edition.preferences.send_empty = true;
    }
    let letter = write(&edition);
    if has("time") {
        let start = Instant::now();
        let bytes: usize = (0..LETTERS).map(|_| write(&edition).html.len()).sum();
        let each = start.elapsed() / LETTERS;
        println!("{each:?} each, {} bytes of HTML", bytes / LETTERS as usize);
    } else if has("text") {
        print!("Subject: {}\n\n{}", letter.subject, letter.text);
    } else {
        print!("{}", letter.html);
    }
    eprintln!("{} bytes of text, {} of HTML", letter.text.len(), letter.html.len());
    Ok(())
}

fn edition(papers: Vec<Arc<Paper>>, number: usize) -> Edition {
    let schedule =
        Schedule { frequency: Frequency::Weekdays, hour: 7, zone: "Europe/Vienna".to_owned() };
    let day = date(2026, 11, 26);
    Edition {
        preferences: Preferences { schedule, ..Preferences::default() },
        slot: Slot { at: "2026-11-26T06:00:00Z".parse().expect("a moment"), day },
        late: false,
        test: false,
        papers: papers.into_iter().cycle().take(number).collect(),
        reason: None,
        links: Links {
            site: "https://papers.example.org".to_owned(),
            manage: format!("https://papers.example.org/digest/manage/1f-{}", "3a".repeat(16)),
            unsubscribe: format!("https://papers.example.org/digest/leave/1f-{}", "b7".repeat(16)),
        },
    }
}

/// The papers of the studies.
fn papers() -> Result<Vec<Arc<Paper>>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../studies/src");
    let mut files = Vec::new();
    find(&folder, &mut files)?;
    files.sort();
    let mut papers = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
        let text = std::fs::read_to_string(file)?;
        let manifest = Manifest::parse(&text, &folder.to_string_lossy())?;
        let mut paper = Paper::new(NewPaper::from_manifest(&manifest), jiff::Timestamp::UNIX_EPOCH);
        let at = u32::try_from(at)?;
        paper.listed = Some(date(2026, 11, 26 - i8::try_from(at % 7)?));
        paper.votes = i64::from(63 / (at + 1) + 1);
        paper.comments = i64::from(at % 3);
        let [reproduced, partly, not_at_this_scale] =
            [[4, 0, 0], [3, 1, 0], [1, 2, 1], [0, 0, 2]][at as usize % 4];
        let counts = VerdictCounts { reproduced, partly, not_at_this_scale, not_tested: 0 };
        paper.verdicts = (at % 5 != 4).then_some(counts);
        papers.push(Arc::new(paper));
    }
    Ok(papers)
}

fn find(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.file_name().is_some_and(|name| name == "paper.toml") {
            files.push(path);
        }
    }
    Ok(())
}
