//! What somebody knows and the database does not.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Bytes of a secret.
const BYTES: usize = 32;

/// A random secret of 256 bits: of a sign-in link, a session, a token. The database has its hash.
///
/// A plain hash suffices, because what is hashed is random: nothing is gained by trying words.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    ///
    /// # Panics
    /// If the system has no random numbers.
    pub fn new() -> Self {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).expect("the system's random numbers");
        Self(hex(&bytes))
    }

    /// One that somebody presents; `None` if it does not have the form of one.
    pub fn read(text: &str) -> Option<Self> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 2 * BYTES && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// The text to hand out, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub(crate) fn hash(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new()
    }
}

/// It is kept out of logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random number for a row: positive, and exact in JSON.
pub(crate) fn random_id() -> i64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system's random numbers");
    i64::from_le_bytes(bytes) & ((1 << 53) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_come_back() {
        let (a, b) = (Secret::new(), Secret::new());
        assert!(a != b && a.hash() != b.hash());
        assert_eq!(Secret::read(a.reveal()), Some(a.clone()));
        assert_eq!(format!("{a:?}"), "Secret(..)");
        for other in ["", "abc", &a.reveal().to_uppercase(), &format!("{}x", &a.reveal()[1..])] {
            // A secret without a letter is the same in capitals.
            assert!(Secret::read(other).is_none() || other == a.reveal(), "{other}");
        }
        assert_ne!(random_id(), random_id());
        assert!((0..1 << 53).contains(&random_id()));
    }
}
