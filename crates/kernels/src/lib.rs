#![doc = include_str!("../README.md")]
// Vectors, tiles and uninitialised results need it; the rest of the workspace may not.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

pub mod activation;
mod buffer;
pub mod kan;
pub mod linear;
pub mod matrix;
pub mod optim;
mod par;
mod simd;

pub use simd::Level;
