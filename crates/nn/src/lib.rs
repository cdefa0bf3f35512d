#![doc = include_str!("../README.md")]

pub mod activation;
pub mod attack;
pub mod attention;
pub mod bound;
pub mod conv;
pub mod ctr;
pub mod device;
pub mod embedding;
mod error;
pub mod expert;
pub mod gate;
pub mod init;
pub mod kan;
pub mod linear;
pub mod lora;
pub mod loss;
pub mod mixture;
pub mod mlp;
pub mod norm;
mod op;
pub mod optim;
pub mod pool;
pub mod quantise;
pub mod recurrent;
pub mod schedule;
pub mod sequence;
pub mod testing;

pub use error::{Error, Result};
