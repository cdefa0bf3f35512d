//! Time, so that tests need not wait for it.

use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

/// A wait.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time and lets it pass.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits.
    fn sleep(&self, time: Duration) -> Sleep;
    /// A number of [0, 1) by which waits are spread, so that many clients do not come back at once.
    fn chance(&self) -> f64;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, time: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(time))
    }

    fn chance(&self) -> f64 {
        // The keys of a hash table are random, and new for each.
        let random = RandomState::new().hash_one(0_u8) >> 32;
        f64::from(u32::try_from(random).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }
}
