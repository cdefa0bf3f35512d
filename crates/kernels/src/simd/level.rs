//! Which instructions are used.

use std::sync::atomic::{AtomicU8, Ordering};

use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// The instructions that the kernels use.
///
/// The best level of the processor is taken, unless the environment variable `PRESSRUN_SIMD` names
/// another one (`avx512`, `avx2`, `portable`) or [`Level::force`] sets it. A level that the
/// processor does not have is never taken.
///
/// # Example
/// ```
/// use pressrun_kernels::Level;
///
/// assert!(Level::available().contains(&Level::Portable));
/// assert!(Level::available().contains(&Level::current()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What every processor can do.
    Portable,
    /// 8 lanes with fused multiplication and addition.
    Avx2,
    /// 16 lanes with masks.
    Avx512,
}

/// 0: not looked up yet; else the level plus 1.
static CURRENT: AtomicU8 = AtomicU8::new(0);

impl Level {
    const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The level's name in `PRESSRUN_SIMD`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The levels of this processor, slowest first.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    /// The level in use.
    ///
    /// # Panics
    /// The first time, if `PRESSRUN_SIMD` is set to what is no level of this processor.
    pub fn current() -> Self {
        match CURRENT.load(Ordering::Relaxed) {
            0 => {
                let level = Self::chosen();
                CURRENT.store(level as u8 + 1, Ordering::Relaxed);
                level
            }
            stored => Self::ALL[usize::from(stored) - 1],
        }
    }

    fn chosen() -> Self {
        let available = Self::available();
        match std::env::var("PRESSRUN_SIMD") {
            Ok(name) => {
                let names: Vec<_> = available.iter().map(|level| level.name()).collect();
                let found = available.into_iter().find(|level| level.name() == name);
                found.unwrap_or_else(|| {
                    panic!("PRESSRUN_SIMD is `{name}`; expected one of {}", names.join(", "))
                })
            }
            Err(_) => available.last().copied().unwrap_or(Self::Portable),
        }
    }

    /// Uses this level from now on in the whole process. Not while a kernel runs: what it computes
    /// may then be wrong (it touches no memory that it should not).
    ///
    /// # Panics
    /// If the processor does not have it.
    pub fn force(self) {
        assert!(self.is_available(), "this processor does not have {}", self.name());
        CURRENT.store(self as u8 + 1, Ordering::Relaxed);
    }
}

/// Proof that the processor has the instructions of a level.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Token {
    /// The proof for the level in use.
    #[inline]
    pub(crate) fn current() -> Self {
        match Level::current() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::detect().map_or(Self::Portable(Portable), Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::detect().map_or(Self::Portable(Portable), Self::Avx2),
            _ => Self::Portable(Portable),
        }
    }
}

/// Calls a test once for each level of the processor, with nothing else running at another one.
#[cfg(test)]
pub(crate) fn at_every_level(test: impl Fn(Level)) {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = Level::current();
    for level in Level::available() {
        level.force();
        test(level);
    }
    before.force();
    drop(guard);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_can_be_forced() {
        at_every_level(|level| assert_eq!(Level::current(), level));
    }
}
