//! Leaving with everything, and coming back.

mod broken;
mod fixture;
mod whole;
