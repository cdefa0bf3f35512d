//! The listing text: the day's papers as the front page prints them.
//!
//! ```text
//! Get trending papers in your email inbox!
//!
//! Daily Papers
//!
//! byAK and the research community
//!
//! Sep 9
//!
//! EvoMoE: An Evolutional Mixture-of-Experts Training Framework
//!
//! Mixture-of-experts (MoE) is becoming popular due to ...
//! ```
//!
//! Blocks are parted by blank lines. What stands before `Daily Papers` is passed over; a byline may
//! follow, then the day, then titles and abstracts in turn. Nothing marks which block is which, and
//! one that is missing must not shift all that follow; therefore a block is told by its form:
//!
//! - longer than [`MAX_TITLE`] characters: an abstract, never a title;
//! - else, where an abstract is due, it is one, unless it does not end in a full stop and a block
//!   longer than [`MAX_TITLE`] follows: then it is that one's title, and the title before it has no
//!   abstract.
//!
//! A file that was cut is known by its end alone: the last title has no abstract, or the last
//! abstract does not end in sentence punctuation (nor, on a line that is ended, in a link).
//! Elsewhere an abstract may end as it likes.

use std::io::{self, BufRead, Read};

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};

use super::source::broken;
use super::{Item, NewPaper, day};

/// Longest title in characters.
pub const MAX_TITLE: usize = 300;

/// Longest listing in bytes: it is read as a whole.
const MAX_BYTES: u64 = 64 << 20;

/// How the day of a listing becomes a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Its year; by default that of the most recent such day which is not after `today`.
    pub year: Option<i16>,
    /// Today.
    pub today: Date,
}

/// What a listing says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Its day.
    pub day: Option<Date>,
    /// Its papers, each with the line of its title.
    pub papers: Vec<(u64, NewPaper)>,
    /// What is left out, each with its line and what is wrong with it.
    pub bad: Vec<(u64, String)>,
}

/// A stretch of lines without a blank one.
struct Block<'t> {
    line: u64,
    bytes: &'t [u8],
}

impl Block<'_> {
    /// Its text on one line; what is wrong with it, and where, if it is none.
    fn text(&self) -> Result<String, (u64, String)> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => Ok(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            Err(error) => {
                let before = &self.bytes[..error.valid_up_to()];
                let lines = before.iter().filter(|&&b| b == b'\n').count() as u64;
                Err((self.line + lines, "not UTF-8".into()))
            }
        }
    }

    fn is_long(&self) -> bool {
        String::from_utf8_lossy(self.bytes).chars().count() > MAX_TITLE
    }

    fn ends_in_full_stop(&self) -> bool {
        self.bytes.trim_ascii_end().ends_with(b".")
    }
}

/// Reads a listing. Whatever the bytes are, it returns: what cannot be used is in
/// [`Listing::bad`].
///
/// # Example
/// ```
/// use jiff::civil::date;
/// use pressrun_catalog::import::listing::{Options, parse};
///
/// let text = "Daily Papers\n\nSep 9\n\nGates that open\n\nWe open gates.\n\nHalf a rec";
/// let listing = parse(text.as_bytes(), Options { year: None, today: date(2025, 9, 8) });
/// assert_eq!(listing.day, Some(date(2024, 9, 9)));
/// assert_eq!(listing.papers[0].1.title, "Gates that open");
/// assert_eq!(listing.bad, [(9, "title without abstract: `Half a rec`".into())]);
/// ```
pub fn parse(bytes: &[u8], options: Options) -> Listing {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let blocks = blocks(bytes);
    let mut listing = Listing::default();
    if blocks.is_empty() {
        let reason =
            "file is empty; expected a listing: `Daily Papers`, a day, titles and abstracts";
        listing.bad.push((1, reason.into()));
        return listing;
    }
    let heading = |b: &Block<'_>| b.bytes.trim_ascii().eq_ignore_ascii_case(b"daily papers");
    let Some(start) = blocks.iter().position(heading) else {
        let reason =
            "not a listing: expected a line `Daily Papers` (or JSON Lines, one paper a line)";
        listing.bad.push((1, reason.into()));
        return listing;
    };
    // The day is the next block, or the one after a byline.
    let mut after = blocks[start + 1..].iter().enumerate().take(2);
    let found = after.find_map(|(n, block)| Some((n, day::parse(&block.text().ok()?)?)));
    let Some((skipped, (month, day, year))) = found else {
        let line = blocks.get(start + 1).map_or(blocks[start].line, |b| b.line);
        let reason = "no day after `Daily Papers`; expected one like `Sep 9`";
        listing.bad.push((line, reason.into()));
        return listing;
    };
    let at = start + 1 + skipped;
    listing.day = day::resolve(month, day, year.or(options.year), options.today);
    let Some(date) = listing.day else {
        let text = blocks[at].text().unwrap_or_default();
        let reason = match year.or(options.year) {
            Some(year) => format!("day `{text}` does not exist in {year}"),
            None => format!("day `{text}` does not exist"),
        };
        listing.bad.push((blocks[at].line, reason));
        return listing;
    };
    pairs(&blocks[at + 1..], date, bytes.ends_with(b"\n"), &mut listing);
    listing
}

/// Titles and abstracts in turn.
fn pairs(blocks: &[Block<'_>], day: Date, ended: bool, listing: &mut Listing) {
    let mut rest = blocks;
    while let [title, tail @ ..] = rest {
        rest = tail;
        if title.is_long() {
            let reason = format!(
                "block of more than {MAX_TITLE} characters where a title was expected; \
                 is the title missing?"
            );
            listing.bad.push((title.line, reason));
            continue;
        }
        let name = title.text();
        let shown = name.clone().unwrap_or_default();
        let next_is_title = match tail {
            [] => true,
            [due, after, ..] => !due.is_long() && !due.ends_in_full_stop() && after.is_long(),
            [_] => false,
        };
        if next_is_title {
            let (line, reason) = match name {
                Ok(_) => (title.line, format!("title without abstract: `{shown}`")),
                Err(bad) => bad,
            };
            listing.bad.push((line, reason));
            continue;
        }
        let summary = &tail[0];
        rest = &tail[1..];
        let (title_text, summary_text) = match (name, summary.text()) {
            (Ok(title), Ok(summary)) => (title, summary),
            (Err(bad), _) => {
                listing.bad.push(bad);
                continue;
            }
            (_, Err((line, reason))) => {
                let reason = format!("{reason}, in the abstract of `{shown}`");
                listing.bad.push((line, reason));
                continue;
            }
        };
        if rest.is_empty() && !is_whole(&summary_text, ended) {
            let reason = format!(
                "the file ends in the middle of the abstract of `{shown}`; \
                 expected a full stop or the like"
            );
            listing.bad.push((summary.line, reason));
            continue;
        }
        let paper = NewPaper {
            title: title_text,
            summary: summary_text,
            listed: Some(day),
            ..NewPaper::default()
        };
        listing.papers.push((title.line, paper));
    }
}

/// Whether a text at the end of a file is whole.
fn is_whole(text: &str, ended: bool) -> bool {
    let closing = |c: char| matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»' | '$');
    let stripped = text.trim_end_matches(closing);
    if stripped.ends_with(['.', '!', '?', '…', '。', '！', '？']) {
        return true;
    }
    let last = text.split_whitespace().next_back().unwrap_or_default();
    ended && last.contains("://")
}

fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(u64, usize)> = None;
    let mut at = 0;
    for (number, line) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        let blank = line.trim_ascii().is_empty();
        match (open, blank) {
            (Some((first, from)), true) => {
                // Without the line feed before this line.
                let bytes = &bytes[from..at - 1];
                blocks.push(Block { line: first, bytes });
                open = None;
            }
            (None, false) => open = Some((number, at)),
            _ => {}
        }
        at += line.len() + 1;
    }
    if let Some((line, from)) = open {
        let bytes = &bytes[from..];
        blocks.push(Block { line, bytes });
    }
    blocks
}

/// Hands every record of a listing to `sink` until it returns `false`; whether it never did.
pub(super) fn items(
    stream: &mut impl BufRead,
    year: Option<i16>,
    sink: &mut dyn FnMut(Item) -> bool,
) -> io::Result<bool> {
    let mut bytes = Vec::new();
    let broke = stream.take(MAX_BYTES + 1).read_to_end(&mut bytes).err();
    if bytes.len() as u64 > MAX_BYTES {
        let reason = format!("listing of more than {MAX_BYTES} bytes; expected JSON Lines");
        return Ok(sink(Item::Bad(1, reason)));
    }
    // The day that it is somewhere on Earth: a listing of today is never taken for last year's.
    let today = Offset::UTC.to_datetime(Timestamp::now() + 14.hours()).date();
    let Listing { papers, bad, .. } = parse(&bytes, Options { year, today });
    let papers = papers.into_iter().map(|(line, paper)| Item::Paper(line, Box::new(paper)));
    let bad = bad.into_iter().map(|(line, reason)| Item::Bad(line, reason));
    let lines = bytes.iter().filter(|&&b| b == b'\n').count() as u64 + 1;
    let broke = broke.map(|error| Item::Bad(lines, broken(&error)));
    for item in papers.chain(bad).chain(broke) {
        if !sink(item) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\n\
        Daily Papers\n\nbyAK and the research community\n\nSep 9\n\n";

    fn options() -> Options {
        Options { year: None, today: date(2025, 9, 9) }
    }

    fn abstract_of(words: usize) -> String {
        format!("{}end.", "We open a gate and look. ".repeat(words))
    }

    fn listing(body: &str) -> Listing {
        parse(format!("{HEAD}{body}").as_bytes(), options())
    }

    #[test]
    fn titles_and_abstracts_in_turn() {
        let long = abstract_of(20);
        let listing = listing(&format!("Is it a gate?\n\n{long}\n\nGates\n\nhttps wins."));
        assert_eq!(listing.day, Some(date(2025, 9, 9)));
        assert_eq!(listing.bad, []);
        let titles: Vec<(u64, &str)> =
            listing.papers.iter().map(|(line, p)| (*line, p.title.as_str())).collect();
        assert_eq!(titles, [(13, "Is it a gate?"), (17, "Gates")]);
        assert_eq!(listing.papers[0].1.summary, long);
        assert_eq!(listing.papers[0].1.listed, Some(date(2025, 9, 9)));
    }

    #[test]
    fn a_missing_block_does_not_shift_the_rest() {
        let long = abstract_of(20);
        let no_abstract = format!("One\n\nTwo\n\n{long}\n\nThree\n\n{long}\n");
        let got = listing(&no_abstract);
        assert_eq!(got.bad, [(13, "title without abstract: `One`".into())]);
        assert_eq!(got.papers.len(), 2);
        let no_title = format!("One\n\n{long}\n\n{long}\n\nThree\n\n{long}\n");
        let got = listing(&no_title);
        assert_eq!((got.bad[0].0, got.papers.len()), (17, 2));
        assert!(got.bad[0].1.contains("is the title missing?"), "{:?}", got.bad);
    }

    #[test]
    fn a_cut_is_seen_at_the_end_only() {
        let open = "Code is at https://example.org/code";
        let got = listing(&format!("One\n\n{open}\n\nTwo\n\nAll is well.\n"));
        assert_eq!((got.papers.len(), got.bad.len()), (2, 0));
        let got = listing(&format!("One\n\n{open}\n\nTwo\n\nAll is we"));
        assert_eq!(got.papers.len(), 1);
        assert_eq!(got.bad[0].0, 19);
        assert!(got.bad[0].1.contains("middle of the abstract of `Two`"), "{:?}", got.bad);
        // A link may be the end of an abstract, but only a line's end tells that it is whole.
        assert_eq!(listing(&format!("One\n\n{open}\n")).bad, []);
        assert_eq!(listing(&format!("One\n\n{open}")).bad.len(), 1);
        for whole in ["He said \"yes.\"", "(It is.)", "Is it?", "$x = y.$", "数学。"] {
            assert_eq!(listing(&format!("One\n\n{whole}")).bad, [], "{whole}");
        }
    }

    #[test]
    fn invalid_text_costs_its_record_only() {
        let mut bytes = format!("{HEAD}One\n\nIt is\nbro").into_bytes();
        bytes.extend_from_slice(
            b"\xff\xfeken.\n\nTwo\n\nIt is whole.\n\nTh\xe9 third\n\nIt is, too.\n",
        );
        let got = parse(&bytes, options());
        assert_eq!(got.papers.len(), 1);
        assert_eq!(
            got.bad,
            [(16, "not UTF-8, in the abstract of `One`".into()), (22, "not UTF-8".into())]
        );
    }

    #[test]
    fn what_is_no_listing_is_told() {
        for (text, line, reason) in [
            ("", 1, "file is empty; expected a listing"),
            (" \n\n", 1, "file is empty"),
            (
                "Dear all,\n\nplease find enclosed",
                1,
                "not a listing: expected a line `Daily Papers`",
            ),
            ("Daily Papers\n\nGates\n\nWe open gates.", 3, "no day after `Daily Papers`"),
            ("Daily Papers", 1, "no day after"),
            ("Daily Papers\n\nFeb 30\n\nGates", 3, "day `Feb 30` does not exist"),
        ] {
            let got = parse(text.as_bytes(), options());
            assert_eq!((got.papers.len(), got.bad.len(), got.bad[0].0), (0, 1, line), "{text}");
            assert!(got.bad[0].1.contains(reason), "{:?}", got.bad);
        }
        assert_eq!(listing(""), Listing { day: Some(date(2025, 9, 9)), ..Listing::default() });
    }

    #[test]
    fn a_listing_cut_anywhere_yields_no_half_paper() {
        let text = format!(
            "{HEAD}One: a gate\n\nWe open “it”. It stays open.\n\nTwo\n\n{}\n\nThree\n\nLast one.\n",
            abstract_of(15)
        );
        let whole = parse(text.as_bytes(), options());
        assert_eq!((whole.papers.len(), whole.bad.len()), (3, 0));
        for cut in 0..text.len() {
            let part = parse(&text.as_bytes()[..cut], options());
            for ((_, part), (_, whole)) in part.papers.iter().zip(&whole.papers) {
                // A cut right after a sentence cannot be seen; what is there then is whole sentences.
                let sentences =
                    whole.summary.starts_with(&part.summary) && is_whole(&part.summary, false);
                assert!(part.title == whole.title && sentences, "{part:?}");
            }
            // Nothing is lost in silence: every title that was begun is a paper or a bad record.
            let begun = ["One", "\nTwo", "Three"]
                .iter()
                .filter(|t| text[..].find(**t).is_some_and(|at| at + 2 <= cut));
            let accounted = part.papers.len() + part.bad.len();
            assert!(accounted >= begun.count(), "cut at {cut}: {part:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            parse(&bytes, options());
            let mut listed = HEAD.as_bytes().to_vec();
            listed.extend_from_slice(&bytes);
            let got = parse(&listed, options());
            for (_, paper) in got.papers {
                prop_assert!(!paper.title.is_empty() && !paper.summary.is_empty());
            }
        }

        #[test]
        fn any_blocks_are_accounted_for(blocks in prop::collection::vec("[a-c .\u{e9}]{1,400}", 0..9)) {
            let got = listing(&blocks.join("\n\n"));
            let filled = blocks.iter().filter(|b| !b.trim().is_empty()).count();
            let (papers, bad) = (got.papers.len(), got.bad.len());
            // A paper is two blocks, a bad record one or, if its abstract was cut, two.
            prop_assert!(papers * 2 + bad <= filled && filled <= (papers + bad) * 2);
        }
    }
}
