//! The encoder: layers of attention and networks over word pieces.

use pressrun_kernels::activation::Activation;
use pressrun_kernels::attention::{Attention, Shape};
use pressrun_kernels::linear::{self, LinearShape};
use pressrun_kernels::norm::layer::{Kind, Layer as LayerNorm};

/// `y = x W + b`, W as `[inputs, outputs]`.
#[derive(Debug)]
pub(super) struct Affine {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub inputs: usize,
    pub outputs: usize,
}

/// A layer norm with its scale and shift.
#[derive(Debug)]
pub(super) struct Norm {
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
    pub eps: f32,
}

/// A layer of the encoder.
///
/// ```text
/// h = norm(x + out(attention(qkv(x))))
/// y = norm(h + down(gelu(up(h))))
/// ```
#[derive(Debug)]
pub(super) struct Layer {
    /// Queries, keys and values in one.
    pub qkv: Affine,
    pub out: Affine,
    pub after_attention: Norm,
    pub up: Affine,
    pub down: Affine,
    pub after_mlp: Norm,
}

/// The whole encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    pub width: usize,
    pub heads: usize,
    /// `[pieces, width]`.
    pub words: Vec<f32>,
    /// `[places, width]`.
    pub positions: Vec<f32>,
    /// `[width]`, added to every piece.
    pub kind: Vec<f32>,
    pub norm: Norm,
    pub layers: Vec<Layer>,
}

impl Encoder {
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Pieces of the longest text.
    pub(super) fn longest(&self) -> usize {
        self.positions.len() / self.width
    }

    /// The mean of the last layer over the pieces of a text, of length 1.
    pub(super) fn vector(&self, pieces: &[u32]) -> Vec<f32> {
        let (d, time) = (self.width, pieces.len());
        let mut x = Vec::with_capacity(time * d);
        for (place, piece) in pieces.iter().enumerate() {
            let word = &self.words[*piece as usize * d..][..d];
            let position = &self.positions[place * d..][..d];
            let sum = word.iter().zip(position).zip(&self.kind);
            x.extend(sum.map(|((word, position), kind)| word + position + kind));
        }
        let mut x = self.norm.apply(&x, time);
        for layer in &self.layers {
            x = layer.apply(x, time, self.heads);
        }
        let mut mean = vec![0.0; d];
        for row in x.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
        }
        let norm = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
        if norm > 0.0 {
            mean.iter_mut().for_each(|value| *value /= norm);
        }
        mean
    }
}

impl Layer {
    fn apply(&self, x: Vec<f32>, time: usize, heads: usize) -> Vec<f32> {
        let qkv = self.qkv.apply(&x, None, Activation::Identity);
        let width = self.qkv.inputs / heads;
        let shape = Shape { batch: 1, heads, queries: time, keys: time, width };
        let seen = Attention::new(shape).forward_packed(&qkv).y;
        let h = self.out.apply(&seen, Some(&x), Activation::Identity);
        let h = self.after_attention.apply(&h, time);
        let wide = self.up.apply(&h, None, Activation::Gelu);
        let y = self.down.apply(&wide, Some(&h), Activation::Identity);
        self.after_mlp.apply(&y, time)
    }
}

impl Affine {
    fn apply(&self, x: &[f32], residual: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        let Self { weight, bias, inputs, outputs } = self;
        let shape = LinearShape { rows: x.len() / inputs, inputs: *inputs, outputs: *outputs };
        linear::forward(shape, x, weight, Some(bias), residual, activation).y
    }
}

impl Norm {
    fn apply(&self, x: &[f32], time: usize) -> Vec<f32> {
        let Self { gamma, beta, eps } = self;
        let norm = LayerNorm { kind: Kind::Layer, gamma: Some(gamma), beta: Some(beta), eps: *eps };
        norm.forward(x, None, [time, gamma.len()]).y
    }
}
