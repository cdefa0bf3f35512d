//! Reading a query.

use std::ops::Range;

use pressrun_lab::Outcome;

use super::{Field, Has, Item, Kind, MAX_BYTES, MAX_CONDITIONS, QueryError, outcome_name};

/// The fields, with what a value must be.
const FIELDS: [(&str, &str); 7] = [
    ("author", "a name, such as `author:hinton`"),
    ("venue", "a conference or journal, such as `venue:iclr`"),
    ("tag", "a tag, such as `tag:gates`"),
    ("category", "an arXiv category, such as `category:cs.LG`"),
    ("year", "a year or a range, such as `year:2021`, `year:2021..2024` or `year:2021..`"),
    ("verdict", "`reproduced`, `partly`, `not-at-this-scale`, `not-tested` or `any`"),
    ("has", "`run`, `code`, `record` or `abstract`"),
];

const OUTCOMES: [Outcome; 4] =
    [Outcome::Reproduced, Outcome::Partly, Outcome::NotAtThisScale, Outcome::NotTested];

/// Reads all parts of a query.
pub(super) fn items(source: &str) -> Result<Vec<Item>, QueryError> {
    if source.len() > MAX_BYTES {
        return Err(QueryError {
            position: source.chars().count(),
            problem: format!("the query has {} bytes", source.len()),
            expected: format!("at most {MAX_BYTES}"),
        });
    }
    let mut reader = Reader { source, at: 0 };
    let (mut items, mut conditions) = (Vec::new(), 0);
    while let Some(item) = reader.item()? {
        conditions += usize::from(!matches!(item.kind, Kind::Word(_)) || item.negated);
        if conditions > MAX_CONDITIONS {
            let problem = "too many fields, phrases and excluded words".to_owned();
            let expected = format!("at most {MAX_CONDITIONS}");
            return Err(reader.error(item.place.start, problem, expected));
        }
        items.push(item);
    }
    Ok(items)
}

struct Reader<'a> {
    source: &'a str,
    /// How many bytes have been read.
    at: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self) -> Result<Option<Item>, QueryError> {
        let rest = self.source[self.at..].trim_start();
        if rest.is_empty() {
            return Ok(None);
        }
        let start = self.source.len() - rest.len();
        self.at = start;
        // A dash means `not` only at the front of something: "- vision" has a dash in its text.
        let negated = rest.starts_with('-')
            && rest[1..].starts_with(|c: char| c == '"' || c.is_alphanumeric());
        self.at += usize::from(negated);
        let kind = self.kind()?;
        Ok(Some(Item { place: start..self.at, negated, kind }))
    }

    fn kind(&mut self) -> Result<Kind, QueryError> {
        let start = self.at;
        if self.source[start..].starts_with('"') {
            let phrase = self.quoted(start)?;
            return Ok(Kind::Phrase(phrase.to_owned()));
        }
        let rest = &self.source[start..];
        // A quote ends a word, except after a colon, where it begins the value.
        let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
        let word = &rest[..end];
        if let Some((name, value)) = word.split_once(':') {
            let known = FIELDS.iter().find(|(field, _)| *field == name);
            if let Some((field, expected)) = known {
                let from = start + name.len() + 1;
                self.at = start + end;
                let value = if value.is_empty() && rest[end..].starts_with('"') {
                    self.quoted(from)?
                } else {
                    value
                };
                return self.field(field, value, start..from, expected).map(Kind::Field);
            }
            let followed = !value.is_empty() || rest[end..].starts_with('"');
            if let Some(field) = nearest(name).filter(|_| followed) {
                let problem = format!("no field `{name}`");
                let expected = format!("`{field}:`, or a space after the colon");
                return Err(self.error(start, problem, expected));
            }
        }
        self.at = start + end;
        Ok(Kind::Word(word.to_owned()))
    }

    /// What stands between the quotes that open at `start`.
    fn quoted(&mut self, start: usize) -> Result<&'a str, QueryError> {
        let inner = &self.source[start + 1..];
        let Some(end) = inner.find('"') else {
            let problem = "a quote is opened here and not closed".to_owned();
            return Err(self.error(start, problem, "a second `\"`".to_owned()));
        };
        self.at = start + end + 2;
        let text = inner[..end].trim();
        if !text.contains(char::is_alphanumeric) {
            let problem = "there is no word between the quotes".to_owned();
            return Err(self.error(start, problem, "`\"some words\"`".to_owned()));
        }
        Ok(text)
    }

    fn field(
        &self,
        name: &str,
        value: &str,
        place: Range<usize>,
        expected: &str,
    ) -> Result<Field, QueryError> {
        let invalid = || {
            let (at, problem) = if value.is_empty() {
                (place.start, format!("`{name}:` has no value"))
            } else {
                (place.end, format!("`{value}` is no value of `{name}:`"))
            };
            self.error(at, problem, expected.to_owned())
        };
        let text = || {
            let some = value.contains(char::is_alphanumeric);
            if some { Ok(value.to_owned()) } else { Err(invalid()) }
        };
        let folded = value.to_lowercase();
        match name {
            "author" => text().map(Field::Author),
            "venue" => text().map(Field::Venue),
            "tag" => text().map(Field::Tag),
            "category" => text().map(Field::Category),
            "year" => years(value).ok_or_else(invalid),
            "verdict" if folded == "any" => Ok(Field::Verdict(None)),
            "verdict" => {
                let found = OUTCOMES.into_iter().find(|o| outcome_name(*o) == folded);
                found.map(|outcome| Field::Verdict(Some(outcome))).ok_or_else(invalid)
            }
            _ => {
                let found = Has::ALL.into_iter().find(|has| has.name() == folded);
                found.map(Field::Has).ok_or_else(invalid)
            }
        }
    }

    fn error(&self, at: usize, problem: String, expected: String) -> QueryError {
        let position = self.source[..at].chars().count() + 1;
        QueryError { position, problem, expected }
    }
}

/// `2021`, `2021..2024`, `2021..`, `..2024`.
fn years(text: &str) -> Option<Field> {
    let year = |text: &str| {
        let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<i16>().ok()).flatten()
    };
    let Some((first, last)) = text.split_once("..") else {
        return year(text).map(|year| Field::Year(Some(year), Some(year)));
    };
    let end = |text: &str| if text.is_empty() { Some(None) } else { year(text).map(Some) };
    match (end(first)?, end(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        (first, last) => Some(Field::Year(first, last)),
    }
}

/// The field of which `name` looks like a misspelling: one letter more, less, other or swapped.
fn nearest(name: &str) -> Option<&'static str> {
    let folded = name.to_lowercase();
    let fields = FIELDS.iter().map(|(field, _)| *field);
    // Names of three letters have neighbours that are words of their own ("hat:", "bag:").
    fields
        .clone()
        .find(|field| *field == folded || format!("{field}s") == folded)
        .or_else(|| fields.filter(|field| field.len() > 3).find(|field| is_slip(&folded, field)))
}

/// Whether two words differ by one slip of the hand.
fn is_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([_, x @ ..], y) | (y, [_, x @ ..]) if x == y => true,
        ([_, x @ ..], [_, y @ ..]) if x == y => true,
        ([p, q, x @ ..], [r, s, y @ ..]) => p == s && q == r && x == y,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Query;
    use super::*;

    fn read(source: &str) -> Query {
        source.parse().unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    fn kinds(source: &str) -> Vec<Kind> {
        read(source).items().iter().map(|item| item.kind.clone()).collect()
    }

    #[test]
    fn every_field() {
        let author = |name: &str| Kind::Field(Field::Author(name.into()));
        assert_eq!(kinds("author:hinton"), [author("hinton")]);
        assert_eq!(kinds("author:\"geoffrey hinton\""), [author("geoffrey hinton")]);
        for (text, field) in [
            ("venue:iclr2024", Field::Venue("iclr2024".into())),
            ("tag:gates", Field::Tag("gates".into())),
            ("category:cs.LG", Field::Category("cs.LG".into())),
            ("year:2021", Field::Year(Some(2021), Some(2021))),
            ("year:2021..2024", Field::Year(Some(2021), Some(2024))),
            ("year:2021..", Field::Year(Some(2021), None)),
            ("year:..2019", Field::Year(None, Some(2019))),
            ("verdict:reproduced", Field::Verdict(Some(Outcome::Reproduced))),
            ("verdict:Not-At-This-Scale", Field::Verdict(Some(Outcome::NotAtThisScale))),
            ("verdict:any", Field::Verdict(None)),
            ("has:run", Field::Has(Has::Run)),
        ] {
            assert_eq!(kinds(text), [Kind::Field(field.clone())], "{text}");
            // What a field writes is read as the same field.
            assert_eq!(kinds(&field.to_string()), [Kind::Field(field)], "{text}");
        }
    }

    #[test]
    fn words_phrases_and_what_is_left_out() {
        let query = read("gates  \"open gates\" -vision -\"language model\" -has:code - x -- y");
        assert_eq!(query.text(), "gates open gates - x -- y");
        assert_eq!(query.phrases().collect::<Vec<_>>(), ["open gates"]);
        assert_eq!(query.excluded().collect::<Vec<_>>(), ["vision", "language model"]);
        assert_eq!(query.fields().collect::<Vec<_>>(), [(&Field::Has(Has::Code), true)]);
        // A quote may follow a word without a space.
        assert_eq!(read("gates\"a b\"c").text(), "gates a b c");
    }

    #[test]
    fn titles_with_colons_are_text() {
        for title in
            ["BERT: Pre-training", "Re:Zero", "GloVe:global", "http://x.org/a:b", "a::b", ":x"]
        {
            assert_eq!(read(title).fields().count(), 0, "{title}");
            assert_eq!(read(title).text(), title);
        }
    }

    #[test]
    fn errors_say_where_and_what_would_be_right() {
        for (source, position, problem, expected) in [
            ("gates \"open", 7, "a quote is opened here and not closed", "a second `\"`"),
            ("é \"  \"", 3, "there is no word between the quotes", "`\"some words\"`"),
            ("x year:21", 8, "`21` is no value of `year:`", "a year or a range"),
            ("year:2024..2021", 6, "`2024..2021` is no value", "a year or a range"),
            ("year:..", 6, "`..` is no value", "a year or a range"),
            ("verdict:true", 9, "`true` is no value of `verdict:`", "`reproduced`, `partly`"),
            ("has:gpu", 5, "`gpu` is no value of `has:`", "`run`, `code`"),
            ("author: hinton", 1, "`author:` has no value", "a name, such as"),
            ("author:\"hinton", 8, "a quote is opened here", "a second"),
            ("yaer:2021", 1, "no field `yaer`", "`year:`, or a space"),
            ("authors:hinton", 1, "no field `authors`", "`author:`, or a space"),
            ("Venue:iclr", 1, "no field `Venue`", "`venue:`"),
        ] {
            let error = source.parse::<Query>().unwrap_err();
            assert_eq!(error.position, position, "{source}");
            assert!(error.problem.starts_with(problem), "{source}: {error}");
            assert!(error.expected.starts_with(expected), "{source}: {error}");
        }
        let error = "x".repeat(MAX_BYTES + 1).parse::<Query>().unwrap_err();
        assert!(error.problem.contains("4097 bytes"), "{error}");
        let error = "-a ".repeat(MAX_CONDITIONS + 1).parse::<Query>().unwrap_err();
        assert!(error.problem.starts_with("too many"), "{error}");
    }

    #[test]
    fn parts_can_be_added_and_taken_away() {
        let query = read("gates year:2021  author:\"ada king\" open");
        let year = &query.items()[1];
        assert_eq!(query.without(year), "gates author:\"ada king\" open");
        assert_eq!(query.without(&query.items()[2]), "gates year:2021 open");
        assert_eq!(
            query.with(&Field::Has(Has::Run)),
            "gates year:2021  author:\"ada king\" open has:run"
        );
        assert_eq!(Query::default().with(&Field::Tag("a b".into())), "tag:\"a b\"");
    }

    #[test]
    fn slips_of_the_hand() {
        for (a, b) in
            [("autor", "author"), ("auhtor", "author"), ("authorr", "author"), ("venie", "venue")]
        {
            assert!(is_slip(a, b), "{a}");
        }
        for (a, b) in [("offer", "author"), ("bear", "year "), ("y", "year")] {
            assert!(!is_slip(a, b), "{a}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place(source in "\\PC{0,80}") {
            match source.parse::<Query>() {
                Ok(query) => {
                    let mut end = 0;
                    for item in query.items() {
                        prop_assert!(item.place.start >= end && item.place.end > item.place.start);
                        end = item.place.end;
                        prop_assert!(query.without(item).len() < source.len() + 1);
                    }
                }
                Err(error) => prop_assert!(error.position <= source.chars().count() + 1),
            }
        }

        #[test]
        fn any_mix_of_its_signs_is_read_or_refused(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "-", "\"", ":", "year:", "..", "2021", "author:", "has:", "run", " ", "é", "x", "verdict:",
                ]),
                0..20,
            )
        ) {
            let source = parts.concat();
            if let Ok(query) = source.parse::<Query>() {
                // What it says is what it says when it is said again.
                let again: Query = query.source().parse().unwrap();
                prop_assert_eq!(again, query);
            }
        }
    }
}
