//! Fetching and harvesting from servers on this machine, most of them badly behaved.

mod fetching;
mod harvesting;
mod scheduling;
mod support;
