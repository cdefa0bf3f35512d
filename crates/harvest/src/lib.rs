#![doc = include_str!("../README.md")]

mod address;
mod clock;
mod csl;
mod error;
mod fetch;
mod harvest;
mod lookup;
mod page;
mod retry;
mod schedule;
mod since;
mod source;

pub use address::{Names, SystemNames, refused};
pub use clock::{Clock, Sleep, SystemClock};
pub use error::{Error, Result};
pub use fetch::{Answer, Fetcher, Limits, Policy, Validators};
pub use harvest::{Harvester, Wish};
pub use lookup::Lookup;
pub use schedule::Schedule;
pub use since::Since;
pub use source::Source;
