//! Names of authors in their parts, for the formats that want the family name first.

/// A name in its parts, or as it stands where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// A person.
    Parts {
        /// Given names.
        given: String,
        /// The family name, with the particle before it.
        family: String,
        /// `Jr.`, `III`.
        suffix: Option<&'a str>,
    },
    /// One word, an organisation, a name that is not written in words.
    Whole(&'a str),
}

const SUFFIXES: [&str; 8] = ["jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "v"];

/// Words by which an organisation or a group is told from a person.
const GROUPS: [&str; 9] = [
    "team",
    "group",
    "collaboration",
    "consortium",
    "project",
    "inc.",
    "lab",
    "labs",
    "university",
];

impl<'a> Name<'a> {
    /// Takes a name apart: `Family, Given` at its comma, else before the last word, or before the
    /// particle of the family name (`van der`), which is written small.
    pub(crate) fn of(text: &'a str) -> Self {
        if let Some((family, given)) = text.split_once(',') {
            let (family, given) = (family.trim(), given.trim());
            let plain = !given.contains(',') && !family.is_empty() && !given.is_empty();
            return if plain && !is_group(text) {
                Self::Parts { given: given.into(), family: family.into(), suffix: None }
            } else {
                Self::Whole(text)
            };
        }
        let mut words: Vec<&str> = text.split_whitespace().collect();
        if words.len() < 2 || is_group(text) {
            return Self::Whole(text);
        }
        let is_suffix = |word: &&str| SUFFIXES.contains(&word.to_lowercase().as_str());
        let suffix = words.last().copied().filter(|word| words.len() > 2 && is_suffix(word));
        if suffix.is_some() {
            words.pop();
        }
        let small = |word: &&str| word.chars().next().is_some_and(char::is_lowercase);
        let last = words.len() - 1;
        let start = words[1..last].iter().position(small).map_or(last, |at| at + 1);
        Self::Parts { given: words[..start].join(" "), family: words[start..].join(" "), suffix }
    }
}

/// Whether it is a group's name, or that of several.
pub(crate) fn is_group(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let word = word.to_lowercase();
        matches!(word.as_str(), "and" | "others" | "&") || GROUPS.contains(&word.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_their_parts() {
        for (text, given, family, suffix) in [
            ("Ada Lovelace", "Ada", "Lovelace", None),
            ("Laurens van der Maaten", "Laurens", "van der Maaten", None),
            ("van Gogh, Vincent", "Vincent", "van Gogh", None),
            ("Martin Luther King Jr.", "Martin Luther", "King", Some("Jr.")),
            ("Yann  LeCun", "Yann", "LeCun", None),
            ("de la Cruz", "de", "la Cruz", None),
            ("ada b", "ada", "b", None),
        ] {
            let expected = Name::Parts { given: given.into(), family: family.into(), suffix };
            assert_eq!(Name::of(text), expected, "{text}");
        }
        for whole in
            ["OpenAI", "量子", "DeepSeek Team", "Acme, Inc.", "Alice and Bob", "", "a, b, c"]
        {
            assert_eq!(Name::of(whole), Name::Whole(whole));
        }
    }
}
