//! Seeded random numbers: one stream per purpose, the same on every machine.

use rand::SeedableRng;

/// The generator of all studies: portable, seekable, the same bits everywhere.
pub type Rng = rand_chacha::ChaCha8Rng;

/// The stream of random numbers for `seed` and a purpose such as `data`, `init` or `batches`.
///
/// Arms that ask for the same purpose under the same seed get the same numbers: the same data, the
/// same initial weights, the same batches. Different purposes are independent, so that one more
/// draw in one place never moves the numbers of another.
///
/// ```
/// use rand::Rng;
///
/// let mut a = pressrun_lab::stream(7, "data");
/// let mut b = pressrun_lab::stream(7, "data");
/// let mut c = pressrun_lab::stream(7, "init");
/// let first = a.next_u64();
/// assert_eq!(first, b.next_u64());
/// assert_ne!(first, c.next_u64());
/// ```
pub fn stream(seed: u64, purpose: &str) -> Rng {
    // FNV-1a, 64 bits: a fixed, documented hash, unlike the standard library's, which may change.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in seed.to_le_bytes().iter().chain(purpose.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    Rng::seed_from_u64(hash)
}
