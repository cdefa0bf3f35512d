//! SHA-256 in the form in which cards and records show it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal SHA-256 of the parts, one after another.
pub(crate) fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_vector_in_one_part_and_in_two() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256([&b"abc"[..]]), expected);
        assert_eq!(sha256([&b"a"[..], b"bc"]), expected);
    }
}
