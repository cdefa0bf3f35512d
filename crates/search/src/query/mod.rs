//! The language of the search box, of the API's `q` and of saved searches.
//!
//! ```text
//! query  = { item }
//! item   = [ "-" ] ( word | phrase | field ":" value )
//! phrase = '"' words '"'
//! value  = word | phrase
//! ```
//!
//! | written | means |
//! |---|---|
//! | `experts dropout` | papers about these words; the best match first, not each word needed |
//! | `"mixture of experts"` | these words side by side, in the title or the abstract |
//! | `-vision`, `-"language model"` | papers without it |
//! | `author:hinton`, `author:"geoffrey hinton"` | an author of that name |
//! | `venue:iclr`, `venue:iclr2024` | conference or journal |
//! | `year:2021`, `year:2021..2024`, `year:2021..`, `year:..2019` | year of publication |
//! | `category:cs.LG`, `category:cs` | arXiv category, or the archive before the dot |
//! | `tag:gates` | a tag of the paper |
//! | `verdict:reproduced` | a claim with that verdict: `reproduced`, `partly`, `not-at-this-scale`, `not-tested` or `any` |
//! | `has:run`, `has:code`, `has:record`, `has:abstract` | what the paper has here |
//!
//! Every field can be turned round with `-`. A field of which a paper has one value (year, venue,
//! category), given twice, means either; others, given twice, mean both. A colon after any other
//! word is part of the text, as titles have it; a field that is only misspelt is an error.

mod parse;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use pressrun_lab::Outcome;

/// Longest query in bytes.
pub const MAX_BYTES: usize = 4096;
/// Most fields and phrases of one query.
pub const MAX_CONDITIONS: usize = 64;

/// A query that has been read.
///
/// ```
/// use pressrun_search::query::{Field, Query};
///
/// let query: Query = "experts \"dense to sparse\" year:2021..2024 -author:hinton".parse()?;
/// assert_eq!(query.text(), "experts dense to sparse");
/// assert_eq!(query.phrases().collect::<Vec<_>>(), ["dense to sparse"]);
/// assert_eq!(query.fields().count(), 2);
///
/// let error = "experts autor:hinton".parse::<Query>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "no field `autor` (character 9); expected `author:`, or a space after the colon"
/// );
/// # Ok::<(), pressrun_search::query::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    source: String,
    items: Vec<Item>,
}

/// A part of a query, with the place where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Bytes of the source.
    pub place: Range<usize>,
    /// Whether papers with it are left out.
    pub negated: bool,
    /// What it is.
    pub kind: Kind,
}

/// What a part of a query is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A word, which ranks; without it a paper may be found all the same (unless it is negated).
    Word(String),
    /// Words side by side, which a paper must have.
    Phrase(String),
    /// A condition on a field.
    Field(Field),
}

/// A condition on a field of a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Words of an author's name, in their order.
    Author(String),
    /// Conference or journal, with or without its year.
    Venue(String),
    /// A tag.
    Tag(String),
    /// arXiv category or archive.
    Category(String),
    /// First and last year, both included.
    Year(Option<i16>, Option<i16>),
    /// A claim with that outcome; `None` for any.
    Verdict(Option<Outcome>),
    /// What the paper has here.
    Has(Has),
}

/// What a paper can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Has {
    /// A study that runs here.
    Run,
    /// The authors' code.
    Code,
    /// A record of a run.
    Record,
    /// An abstract.
    Abstract,
}

impl Has {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Run, Self::Code, Self::Record, Self::Abstract];

    /// The name in queries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Code => "code",
            Self::Record => "record",
            Self::Abstract => "abstract",
        }
    }
}

/// The name of an outcome in queries.
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduced => "reproduced",
        Outcome::Partly => "partly",
        Outcome::NotAtThisScale => "not-at-this-scale",
        Outcome::NotTested => "not-tested",
    }
}

impl Query {
    /// The text as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All parts in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The words that rank, those of phrases included, as running text.
    pub fn text(&self) -> String {
        let words = self.items.iter().filter(|item| !item.negated);
        let words = words.filter_map(|item| match &item.kind {
            Kind::Word(text) | Kind::Phrase(text) => Some(text.as_str()),
            Kind::Field(_) => None,
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The phrases that a paper must have.
    pub fn phrases(&self) -> impl Iterator<Item = &str> {
        let items = self.items.iter().filter(|item| !item.negated);
        items.filter_map(|item| match &item.kind {
            Kind::Phrase(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The words and phrases that a paper must not have.
    pub fn excluded(&self) -> impl Iterator<Item = &str> {
        let items = self.items.iter().filter(|item| item.negated);
        items.filter_map(|item| match &item.kind {
            Kind::Word(text) | Kind::Phrase(text) => Some(text.as_str()),
            Kind::Field(_) => None,
        })
    }

    /// The conditions on fields, each with whether it is negated.
    pub fn fields(&self) -> impl Iterator<Item = (&Field, bool)> {
        self.items.iter().filter_map(|item| match &item.kind {
            Kind::Field(field) => Some((field, item.negated)),
            _ => None,
        })
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The same with every word a condition, as if each stood in quotation marks: what a paper must have
    /// to be about a topic, and not only near to it.
    #[must_use]
    pub fn every_word(mut self) -> Self {
        for item in &mut self.items {
            if let Kind::Word(text) = &mut item.kind {
                item.kind = Kind::Phrase(std::mem::take(text));
            }
        }
        self
    }

    /// The query with one more condition at its end.
    pub fn with(&self, field: &Field) -> String {
        let source = self.source.trim();
        if source.is_empty() { field.to_string() } else { format!("{source} {field}") }
    }

    /// The query without one of its parts.
    pub fn without(&self, item: &Item) -> String {
        let (before, after) = (&self.source[..item.place.start], &self.source[item.place.end..]);
        format!("{} {}", before.trim_end(), after.trim_start()).trim().to_owned()
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(source: &str) -> Result<Self, QueryError> {
        let items = parse::items(source)?;
        Ok(Self { source: source.to_owned(), items })
    }
}

/// The condition as it is written in a query.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |f: &mut fmt::Formatter<'_>, name: &str, value: &str| {
            let bare =
                !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"');
            if bare {
                write!(f, "{name}:{value}")
            } else {
                write!(f, "{name}:\"{}\"", value.replace('"', " "))
            }
        };
        match self {
            Self::Author(name) => text(f, "author", name),
            Self::Venue(name) => text(f, "venue", name),
            Self::Tag(name) => text(f, "tag", name),
            Self::Category(name) => text(f, "category", name),
            Self::Year(Some(first), Some(last)) if first == last => write!(f, "year:{first}"),
            Self::Year(first, last) => {
                f.write_str("year:")?;
                first.map_or(Ok(()), |year| write!(f, "{year}"))?;
                f.write_str("..")?;
                last.map_or(Ok(()), |year| write!(f, "{year}"))
            }
            Self::Verdict(outcome) => write!(f, "verdict:{}", outcome.map_or("any", outcome_name)),
            Self::Has(has) => write!(f, "has:{}", has.name()),
        }
    }
}

/// Why a query could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (character {position}); expected {expected}")]
pub struct QueryError {
    /// Where, in characters from 1.
    pub position: usize,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub expected: String,
}
