#![doc = include_str!("../README.md")]
// Vectors, tiles and uninitialised results need it; the rest of the workspace may not.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

pub mod activation;
pub mod attention;
pub mod bag;
mod buffer;
pub mod conv;
pub mod expert;
pub mod gather;
pub mod interval;
pub mod kan;
pub mod linear;
pub mod matrix;
pub mod norm;
pub mod optim;
mod par;
pub mod pool;
pub mod quantise;
pub mod recurrent;
pub mod scan;
mod simd;
pub mod sinkhorn;
pub mod softmax;

pub use simd::Level;
