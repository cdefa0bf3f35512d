//! Fetching and harvesting from servers on this machine, most of them badly behaved.

mod fetching;
mod harvesting;
mod lookups;
mod scheduling;
mod support;
