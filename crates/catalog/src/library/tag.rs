//! What people call what they keep.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// A person's own tag, in the form in which tags are stored and compared: lower case, with a dash for
/// each stretch of white space, without `#` before it, 1 to 40 characters.
///
/// ```
/// use pressrun_catalog::Tag;
///
/// let tag: Tag = " #Mixture of  Experts ".parse()?;
/// assert_eq!(tag.as_str(), "mixture-of-experts");
/// assert!("a, b".parse::<Tag>().is_err());
/// # Ok::<(), pressrun_catalog::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Longest tag in characters.
    pub const LONGEST: usize = 40;

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A tag as the database has it: it was read before it was stored.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    /// Reads tags with commas between them; what is empty is none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the first that is no tag.
    pub fn list(text: &str) -> Result<Vec<Self>> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect()
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bare = text.trim().trim_start_matches('#');
        let words: Vec<&str> = bare.split_whitespace().collect();
        let tag = words.join("-").to_lowercase();
        let length = tag.chars().count();
        // A comma parts tags; the others cannot be seen, and would make two tags look like one.
        let unseen = |c: char| {
            c.is_control()
                || matches!(c, ',' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if length == 0 || length > Self::LONGEST || tag.chars().any(unseen) {
            return Err(Error::Invalid {
                what: "tag",
                value: text.chars().filter(|c| !c.is_control()).take(100).collect(),
                expected: "1 to 40 characters without a comma",
            });
        }
        Ok(Self(tag))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_are_read_into_one_form() {
        let read = |text: &str| text.parse::<Tag>().map(|tag| tag.0);
        assert_eq!(read("MoE").unwrap(), "moe");
        assert_eq!(read("##C++").unwrap(), "c++");
        assert_eq!(read("Größe\t学习").unwrap(), "größe-学习");
        assert_eq!(read("<b>").unwrap(), "<b>");
        for none in ["", " ", "#", "a,b", "a\u{202e}b", "a\u{0}b", &"x".repeat(41)] {
            assert!(read(none).is_err(), "{none:?}");
        }
        let list = Tag::list("b, A ,,b,").unwrap();
        assert_eq!(list.iter().map(Tag::as_str).collect::<Vec<_>>(), ["b", "a", "b"]);
    }

    proptest! {
        #[test]
        fn a_tag_is_its_own_tag(text in any::<String>()) {
            if let Ok(tag) = text.parse::<Tag>() {
                prop_assert_eq!(tag.as_str().parse::<Tag>().unwrap(), tag);
            }
        }
    }
}
