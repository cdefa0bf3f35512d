//! The hashes of the model's format, written out so that they never change.

/// FNV-1a, 64 bits.
///
/// ```
/// assert_eq!(pressrun_search::embed::fnv1a64(b"foobar"), 0x85944171f73967e8);
/// ```
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The same idea by eight bytes at a time, for words and for the checksum.
///
/// ```text
/// h = length;  for each little-endian 8 bytes c, the last filled up with zeros:
///     h = (h xor c) * 0x9e3779b97f4a7c15;  h = h xor (h >> 29)
/// ```
pub(super) fn wide(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, part: u64| {
        let hash = (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ (hash >> 29)
    };
    let (parts, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for part in parts {
        hash = mix(hash, u64::from_le_bytes(*part));
    }
    // Byte by byte: most words are shorter than a part, and a call to copy them costs more.
    let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte));
    // Twice, so that the high bits of a short word reach the low ones.
    mix(mix(hash, last), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published values of <http://www.isthe.com/chongo/tech/comp/fnv/>, and those of `wide`
    /// as the shipped model's vocabulary and checksum were made with.
    #[test]
    fn values_never_change() {
        assert_eq!(fnv1a64(b""), 0xcbf29ce484222325);
        assert_eq!(fnv1a64(b"a"), 0xaf63dc4c8601ec8c);
        let found = [&b""[..], b"gate", b"12345678", b"a longer one"].map(wide);
        assert_eq!(found, VALUES);
    }

    const VALUES: [u64; 4] =
        [0x0000000000000000, 0xadd1ab2910dc7023, 0xf7fcae1144386f80, 0x43f2d93c1a0fd733];

    #[test]
    fn words_of_any_length_fall_apart() {
        let mut seen: Vec<u64> = (0..20_000).map(|i| wide(format!("w{i}").as_bytes())).collect();
        seen.extend((0..20).map(|n| wide(&vec![0; n])));
        // 1000 places for the first 20,000: 20 each, 5 standard deviations aside.
        let mut places = [0; 1000];
        seen[..20_000].iter().for_each(|hash| places[(hash % 1000) as usize] += 1);
        assert!(places.iter().all(|n| (1..45).contains(n)), "{places:?}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 20_020);
    }
}
