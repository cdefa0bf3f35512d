//! The gradient of the weight, for few output channels in a group: inner products along rows.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::backward::{BLOCKS, SMALL, add_blocks};
use super::gather::PER_NANOSECOND;
use super::planes::Planes;
use super::shape::Geometry;
use super::tile::{self, Dots};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{Simd, Token, vectorized};

/// Numbers of a row that are multiplied before the sums leave the registers.
const CHUNK: usize = 1024;
/// A gradient of a weight: inner products of the output's gradient with what the kernel has seen.
struct WeightGradient<'a> {
    geometry: &'a Geometry,
    /// The input, and the output's gradient with rows as long as the input's.
    planes: [Planes; 2],
    runs: Vec<usize>,
    /// Blocks of images.
    blocks: usize,
    /// Images that are laid out at a time.
    images: usize,
}

/// The gradient of the weight.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let conv = geometry.conv;
    let of_input = Planes::of_input(geometry);
    let cols = of_input.cols;
    let of_grad = Planes::bordered(geometry.out, [0, 0], [geometry.out[0], cols]);
    let runs: Vec<_> = (0..geometry.inputs())
        .flat_map(|c| geometry.places().map(move |(_, at)| (c, at)))
        .map(|(c, at)| c * of_input.channel() + of_input.run(at))
        .collect();
    let weights = conv.weight_len();
    // Both by the shape alone, so that the order of summation is.
    let blocks = if weights > SMALL { 1 } else { conv.batch.clamp(1, BLOCKS) };
    let row = geometry.out[0] * cols;
    let images = (CHUNK / row.max(1)).clamp(1, conv.batch.div_ceil(blocks).max(1));
    let job = WeightGradient { geometry, planes: [of_input, of_grad], runs, blocks, images };
    let mut sums = job.run(x, grad);
    if blocks > 1 {
        add_blocks(&mut sums, weights);
    }
    sums
}

impl WeightGradient<'_> {
    /// The sums of every block.
    fn run(&self, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let token = Token::current();
        let Geometry { conv, .. } = *self.geometry;
        let (rows, width) = (self.blocks * conv.outputs, self.runs.len());
        let step = match () {
            () if self.blocks > 1 => conv.outputs,
            () if conv.groups > 1 => self.geometry.outputs(),
            () => 8,
        };
        let cost = self.geometry.work() / PER_NANOSECOND + (x.len() + grad.len()) / 8;
        let [of_input, of_grad] = &self.planes;
        let sizes = [
            self.images * of_input.len(self.geometry.inputs()),
            self.images * of_grad.len(self.geometry.outputs()),
        ];
        // SAFETY: every sum is written.
        unsafe {
            buffer::written(rows * width, |out| {
                let rows_of = Rows { data: out, width };
                par::for_rows(rows, step.max(1), cost, [rows_of], |range, [out]| {
                    buffer::scratch(sizes[0] + sizes[1], |memory| {
                        let (inputs, grads) = memory.split_at_mut(sizes[0]);
                        outputs_of(token, self, x, grad, range, out, inputs, grads);
                    });
                });
            })
        }
    }
}

vectorized! {
    /// Output channels of a range, counted through the blocks.
    fn outputs_of(
        s, token;
        job: &WeightGradient<'_>,
        x: &[f32],
        grad: &[f32],
        range: Range<usize>,
        out: &mut [MaybeUninit<f32>],
        inputs: &mut [MaybeUninit<f32>],
        grads: &mut [MaybeUninit<f32>],
    ) {
        inputs.fill(MaybeUninit::new(0.0));
        grads.fill(MaybeUninit::new(0.0));
        let (conv, outputs) = (job.geometry.conv, job.geometry.outputs());
        let width = job.runs.len();
        let mut at = range.start;
        while at < range.end {
            let (block, group) = (at / conv.outputs, at % conv.outputs / outputs);
            let first = at % outputs;
            let count = (outputs - first).min(range.end - at);
            let images = conv.batch * block / job.blocks..conv.batch * (block + 1) / job.blocks;
            let out = &mut out[(at - range.start) * width..][..count * width];
            if images.is_empty() {
                out.fill(MaybeUninit::new(0.0));
            }
            for now in images.clone().step_by(job.images) {
                let count = job.images.min(images.end - now);
                let (these, [of_input, of_grad]) = (now..now + count, &job.planes);
                let channels = job.geometry.inputs();
                lay_out(s, of_input, x, channels, conv.groups, group, these.clone(), inputs);
                lay_out(s, of_grad, grad, outputs, conv.groups, group, these, grads);
                // SAFETY: filled above.
                let inputs = unsafe { buffer::as_written(inputs) };
                // SAFETY: filled above.
                let grads = unsafe { buffer::as_written(grads) };
                images_of(s, job, count, first, inputs, grads, out, now > images.start);
            }
            at += count;
        }
    }
}

/// Lays out a group's channels of several images.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn lay_out<S: Simd>(
    s: S,
    planes: &Planes,
    from: &[f32],
    channels: usize,
    groups: usize,
    group: usize,
    images: Range<usize>,
    to: &mut [MaybeUninit<f32>],
) {
    let len = channels * planes.pixels();
    for (image, to) in images.zip(to.chunks_exact_mut(planes.len(channels).max(1))) {
        planes.fill(s, &from[(image * groups + group) * len..][..len], to);
    }
}

/// The sums of some images, for output channels from `first` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn images_of<S: Simd>(
    s: S,
    job: &WeightGradient<'_>,
    images: usize,
    first: usize,
    inputs: &[f32],
    grads: &[f32],
    out: &mut [MaybeUninit<f32>],
    add: bool,
) {
    let [of_input, of_grad] = &job.planes;
    let width = job.runs.len();
    if width == 0 {
        return;
    }
    let outputs = out.len() / width;
    let [rows, cols] = job.geometry.out;
    let len = ((rows - 1) * of_input.cols + cols).next_multiple_of(S::LANES);
    let end = (images - 1) * of_input.len(job.geometry.inputs()) + len;
    let end = job.runs.iter().max().map_or(0, |run| run + end);
    assert!(end <= inputs.len() && len <= of_grad.channel(), "a run beyond the last plane");
    assert!(images * of_grad.len(job.geometry.outputs()) <= grads.len());
    for from in (0..len).step_by(CHUNK) {
        let mut channel = 0;
        while channel < outputs {
            let block = tile::block_rows(tile::most_rows::<S>(), outputs - channel);
            let dots = Dots {
                rows: grads[(first + channel) * of_grad.channel() + from..].as_ptr(),
                row: of_grad.channel(),
                row_image: of_grad.len(job.geometry.outputs()),
                source: inputs[from..].as_ptr(),
                runs: &job.runs,
                source_image: of_input.len(job.geometry.inputs()),
                images,
                vectors: CHUNK.min(len - from) / S::LANES,
                to: out[channel * width..][..block * width].as_mut_ptr().cast(),
                add: add || from > 0,
            };
            // SAFETY: results, rows and the furthest run have been checked.
            unsafe { tile::dots(s, dots, block) };
            channel += block;
        }
    }
}
