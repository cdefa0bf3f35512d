//! Searching for inputs near a given one on which a classifier errs.
//!
//! An attack gives a lower bound of the error under perturbation, [`crate::bound`] an upper one;
//! whatever is verified can not be attacked.

mod pgd;

pub use pgd::{Attacked, PgdConfig, pgd_linf};
