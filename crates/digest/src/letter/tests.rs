//! Both parts of a letter, read back.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};
use pressrun_catalog::{NoPapers, Paper};
use proptest::prelude::*;
use textwrap::core::display_width;

use super::{Edition, Letter, sample, write};

/// What stands in an HTML document, by a parser.
#[derive(Debug, Default)]
struct Read {
    /// The text of the body, less what is hidden.
    body: String,
    tags: Vec<String>,
    /// `tag attribute`.
    attributes: BTreeSet<String>,
    hrefs: Vec<String>,
}

fn read(html: &str) -> Read {
    let mut read = Read::default();
    let (mut body, mut hidden) = (false, false);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for token in Tokenizer::new(html) {
        match token.unwrap() {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                body |= name == "body";
                hidden |= name == "div";
                for (attribute, value) in &tag.attributes {
                    let attribute = text(attribute);
                    read.attributes.insert(format!("{name} {attribute}"));
                    if attribute == "href" {
                        read.hrefs.push(text(value));
                    }
                }
                read.tags.push(name);
                read.body.push(' ');
            }
            Token::EndTag(tag) => {
                hidden &= text(&tag.name) != "div";
                read.body.push(' ');
            }
            Token::String(string) if body && !hidden => read.body.push_str(&text(&string)),
            _ => {}
        }
    }
    read
}

/// Words with a letter or digit, without the signs at their ends.
fn words(text: &str) -> Vec<&str> {
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| ".:·".contains(c)));
    words.filter(|word| word.contains(char::is_alphanumeric)).collect()
}

/// The words of the text part, without the numbers of papers; and of these addresses those that have a
/// line, in their order.
fn words_and_addresses<'a>(text: &'a str, known: &[String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut all, mut addresses) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if known.iter().any(|address| address == line.trim_start()) {
            addresses.push(line.trim_start());
            continue;
        }
        let number = line.split_once(". ").filter(|(n, _)| n.parse::<usize>().is_ok());
        all.extend(words(number.map_or(line, |(_, rest)| rest)));
    }
    (all, addresses)
}

/// What both parts have to be, whatever is in them.
fn check(letter: &Letter) {
    let wrong = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!letter.subject.contains(wrong), "{:?}", letter.subject);
    assert!(letter.subject.chars().count() < 200, "{:?}", letter.subject);
    assert!(!letter.html.contains(wrong), "{:?}", letter.html);
    assert!(letter.text.ends_with('\n') && !letter.text.contains("\n\n\n"), "{:?}", letter.text);
    for line in letter.text.lines() {
        assert!(!line.contains(wrong) && line == line.trim_end(), "{line:?}");
        let number = line.find(". ").filter(|at| *at < 3).map_or(0, |at| at + 1);
        let alone = line[number..].split_whitespace().count() == 1;
        assert!(display_width(line) <= 72 || alone, "{line:?}");
        // Whatever papers and searches say stands indented or after a number.
        let own = line.is_empty() || line.starts_with("    ") || number > 0;
        let known = ["Pressrun", "How claims", "Change or", "Unsubscribe:", "You get", "no images"];
        let heading = line.ends_with(" for Thursday 26 November 2026");
        assert!(own || heading || known.iter().any(|known| line.starts_with(known)), "{line:?}");
    }
    let read = read(&letter.html);
    let tags: BTreeSet<&str> = read.tags.iter().map(String::as_str).collect();
    let allowed = "html head meta title style body div table tr td p h1 h2 a span";
    let allowed: BTreeSet<&str> = allowed.split(' ').collect();
    assert!(tags.is_subset(&allowed), "{tags:?}");
    assert!(
        !read.attributes.iter().any(|at| at.contains(" on") || at.ends_with("src")),
        "{:?}",
        read.attributes
    );
    let (text, addresses) = words_and_addresses(&letter.text, &read.hrefs);
    assert_eq!(words(&read.body), text);
    assert_eq!(read.hrefs, addresses);
}

/// One element a line.
fn pretty(html: &str) -> String {
    html.replace("><", ">\n<")
}

/// With everything that a letter can say.
fn full() -> Edition {
    let mut edition = sample::edition(sample::papers());
    edition.preferences.query = "experts routing".to_owned();
    edition.preferences.min_votes = 1;
    edition.preferences.schedule.zone = "Europe/Vienna".to_owned();
    edition.slot.at = "2026-11-26T06:00:00Z".parse().unwrap();
    (edition.late, edition.test) = (true, true);
    edition
}

#[test]
fn a_letter() {
    let letter = write(&full());
    insta::assert_snapshot!("letter-text", format!("{}\n\n{}", letter.subject, letter.text));
    insta::assert_snapshot!("letter-html", pretty(&letter.html));
    let letter = write(&sample::edition(sample::papers()));
    check(&letter);
    assert!(!letter.text.contains("late") && !letter.text.contains("test"), "{}", letter.text);
}

#[test]
fn a_letter_without_papers() {
    let mut edition = sample::edition(Vec::new());
    edition.reason = Some(NoPapers::FewVotes);
    edition.preferences.min_votes = 5;
    edition.preferences.send_empty = true;
    let letter = write(&edition);
    check(&letter);
    insta::assert_snapshot!("none-text", format!("{}\n\n{}", letter.subject, letter.text));
}

/// An abstract, title and names as long as a letter takes them, with signs that HTML escapes.
fn longest() -> Paper {
    let mut paper = sample::paper("2112.14397v1-of-a-long-name", &"<Größe> & ".repeat(20));
    paper.summary = "\"quoted\" & <escaped> words ".repeat(400);
    paper.authors = vec!["Émilie & Co ".repeat(10); 40];
    paper.venue = Some("Conference & Workshop ".repeat(10));
    paper.listed = Some(jiff::civil::date(2026, 11, 26));
    paper.code_url = Some(format!("https://code.example.org/{}", "x".repeat(100)));
    paper.verdicts = sample::papers()[0].verdicts;
    paper
}

/// Gmail shows 102 KB of a letter and hides the rest.
#[test]
fn letters_are_small() {
    let mut edition = full();
    let usual = edition.papers[0].clone();
    for (count, most) in [(12, 40_000), (50, 102_000)] {
        edition.papers = vec![usual.clone(); count];
        let size = write(&edition).html.len();
        assert!(size < most, "{size} bytes of {count} usual papers");
    }
    edition.papers = vec![longest().into(); 12];
    let letter = write(&edition);
    check(&letter);
    let size = letter.html.len();
    assert!(size < 60_000, "{size} bytes of 12 long papers");
}

#[test]
fn hostile_fields_stay_text() {
    let evil = "</h2><script>alert(1)</script>\r\n1.  Fake\n----\n\u{202e}live\u{0}\u{1b}[31m \
        \"onclick=x\" 😀 &amp; <img src=x onerror=y>\r\n\r\nUnsubscribe: now";
    let mut paper = sample::paper(evil, evil);
    paper.summary = evil.to_owned();
    paper.authors = vec![evil.to_owned(); 7];
    paper.venue = Some(evil.to_owned());
    paper.code_url = Some(format!("https://code.example.org/{evil}"));
    let mut edition = sample::edition(vec![paper.clone(), paper]);
    edition.preferences.query = evil.to_owned();
    let letter = write(&edition);
    check(&letter);
    for sign in ["<script", "<img", "\u{202e}"] {
        assert!(!letter.html.contains(sign), "{sign:?} in {}", letter.html);
    }
    assert!(
        letter.text.contains("<script>alert(1)</script> 1. Fake ---- live [31m \"onclick=x\" 😀")
    );
    edition.papers.clear();
    for reason in [NoPapers::OffTopic, NoPapers::FewVotes, NoPapers::AllHad] {
        edition.reason = Some(reason);
        check(&write(&edition));
    }
}

/// Any text, and more of what is hard than chance would bring.
fn field() -> impl Strategy<Value = String> {
    let hard = prop_oneof![
        Just("<b>&\"'".to_owned()),
        Just("\r\n-- \r\n".to_owned()),
        Just(" \u{202e}\u{2066}\u{85}\u{2028} ".to_owned()),
        Just("字".repeat(40)),
        Just("👩\u{200d}👧🏽 e\u{301}".to_owned()),
        "[a-z]{1,90} ",
        any::<String>(),
    ];
    prop::collection::vec(hard, 0..12).prop_map(|parts| parts.concat())
}

prop_compose! {
    fn any_paper()(
        id in "[a-z0-9/.-]{1,40}", title in field(), summary in field(), venue in field(),
        authors in prop::collection::vec(field(), 0..8), path in field(), votes in any::<i64>(),
        counts in any::<Option<[u8; 4]>>(),
    ) -> Paper {
        let mut paper = sample::paper(&id, &title);
        (paper.summary, paper.venue, paper.authors) = (summary, Some(venue), authors);
        paper.code_url = Some(format!("https://code.example.org/{path}"));
        paper.votes = votes;
        paper.verdicts = counts.map(|n| {
            let [reproduced, partly, not_at_this_scale, not_tested] = n.map(u32::from);
            pressrun_catalog::VerdictCounts { reproduced, partly, not_at_this_scale, not_tested }
        });
        paper
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_letter_reads_the_same_in_both_parts(
        papers in prop::collection::vec(any_paper(), 0..3), query in field(), min_votes in 0..9u32,
    ) {
        let mut edition = sample::edition(papers);
        edition.preferences.query = query;
        edition.preferences.min_votes = min_votes;
        edition.reason = Some(NoPapers::OffTopic);
        check(&write(&edition));
    }
}
