//! Two-dimensional convolutions of images `[batch, channels, height, width]`, and their gradients.

mod backward;
mod forward;
mod gather;
mod inner;
mod outer;
mod planes;
mod shape;
mod tile;
mod transpose;

pub use backward::{Gradients, Wanted, conv2d_backward};
pub use forward::conv2d;
pub use shape::{Conv2dShape, ConvTranspose2dShape};
pub use transpose::{conv_transpose2d, conv_transpose2d_backward};

#[cfg(test)]
mod reference;
