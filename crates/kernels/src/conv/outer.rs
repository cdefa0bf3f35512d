//! The gradient of the weight, for many output channels: outer products, pixel by pixel.
//!
//! Output channels lie side by side in vectors, so the output's gradient is turned over first. What
//! a place of the kernel has seen is read in place, one number at a time, for all lanes.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::backward::{BLOCKS, SMALL, add_blocks};
use super::gather::PER_NANOSECOND;
use super::planes::Planes;
use super::shape::Geometry;
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{Simd, Token, vectorized};

/// Pixels whose sums stay in registers: more would add up long chains of single precision.
const CHUNK: usize = 512;

/// The gradient of a weight.
struct WeightGradient<'a> {
    geometry: &'a Geometry,
    planes: Planes,
    runs: Vec<usize>,
    /// Blocks of images.
    blocks: usize,
    /// Vectors of output channels side by side: 1 or 2; together a panel.
    vectors: usize,
    /// Output channels of a panel.
    lanes: usize,
    /// Panels of a group.
    panels: usize,
}

/// The gradient of the weight.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let conv = geometry.conv;
    let planes = Planes::of_input(geometry);
    let runs: Vec<_> = (0..geometry.inputs())
        .flat_map(|c| geometry.places().map(move |(_, at)| (c, at)))
        .map(|(c, at)| c * planes.channel() + planes.run(at))
        .collect();
    // By the shape alone, so that the order of summation is.
    let blocks = if conv.weight_len() > SMALL { 1 } else { conv.batch.clamp(1, BLOCKS) };
    let token = Token::current();
    let width = lanes(token);
    let vectors = if geometry.outputs() <= width { 1 } else { 2 };
    let lanes = vectors * width;
    let panels = geometry.outputs().div_ceil(lanes);
    let job = WeightGradient { geometry, planes, runs, blocks, vectors, lanes, panels };
    let mut sums = job.run(token, x, grad);
    if blocks > 1 {
        add_blocks(&mut sums, conv.groups * panels * job.runs.len() * lanes);
    }
    job.turned(&sums)
}

vectorized! {
    fn lanes(s, token;) -> usize {
        let _ = s;
        S::LANES
    }
}

impl WeightGradient<'_> {
    /// Sums of every block, `[blocks, groups, panels, runs, lanes]`.
    fn run(&self, token: Token, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let Geometry { conv, out: [height, width] } = *self.geometry;
        let rows = self.blocks * conv.groups * self.panels;
        let step = if self.blocks > 1 { conv.groups * self.panels } else { 1 };
        let cost = self.geometry.work() / PER_NANOSECOND + (x.len() + grad.len()) / 4;
        let row = self.runs.len() * self.lanes;
        let sizes =
            [self.planes.len(self.geometry.inputs()), self.panels * height * width * self.lanes];
        // SAFETY: every row begins with zeros.
        unsafe {
            buffer::written(rows * row, |sums| {
                let rows_of = Rows { data: sums, width: row };
                par::for_rows(rows, step.max(1), cost, [rows_of], |range, [sums]| {
                    sums.fill(MaybeUninit::new(0.0));
                    let sums = buffer::as_written_mut(sums);
                    buffer::scratch(sizes[0] + sizes[1], |memory| {
                        let (planes, turned) = memory.split_at_mut(sizes[0]);
                        panels_of(token, self, x, grad, range, sums, planes, turned);
                    });
                });
            })
        }
    }

    /// The sums of one block as the weight is: `[outputs, inputs of a group, kernel..]`.
    fn turned(&self, sums: &[f32]) -> Vec<f32> {
        let (inner, outputs) = (self.runs.len(), self.geometry.outputs());
        let mut to = Vec::with_capacity(self.geometry.conv.weight_len());
        for o in 0..self.geometry.conv.outputs {
            let panel = o / outputs * self.panels + o % outputs / self.lanes;
            let from = &sums[panel * inner * self.lanes..][..inner * self.lanes];
            to.extend(from.iter().skip(o % outputs % self.lanes).step_by(self.lanes));
        }
        to
    }
}

vectorized! {
    /// Panels of a range, counted through the blocks and groups.
    fn panels_of(
        s, token;
        job: &WeightGradient<'_>,
        x: &[f32],
        grad: &[f32],
        range: Range<usize>,
        sums: &mut [f32],
        planes: &mut [MaybeUninit<f32>],
        turned: &mut [MaybeUninit<f32>],
    ) {
        // The borders.
        planes.fill(MaybeUninit::new(0.0));
        let Geometry { conv, out: [height, width] } = *job.geometry;
        let (pixels, row) = (height * width, job.runs.len() * job.lanes);
        let outputs = job.geometry.outputs();
        let [image_in, image_out] = [job.geometry.inputs() * job.planes.pixels(), outputs * pixels];
        let mut at = range.start;
        while at < range.end {
            let (block, group) = (at / job.panels / conv.groups, at / job.panels % conv.groups);
            let first = at % job.panels;
            let count = (job.panels - first).min(range.end - at);
            let sums = &mut sums[(at - range.start) * row..][..count * row];
            for image in conv.batch * block / job.blocks..conv.batch * (block + 1) / job.blocks {
                let index = image * conv.groups + group;
                job.planes.fill(s, &x[index * image_in..][..image_in], planes);
                let grad = &grad[index * image_out..][..image_out];
                let turned = &mut turned[..count * pixels * job.lanes];
                let panels = turned.chunks_exact_mut((pixels * job.lanes).max(1));
                for (panel, turned) in (first..).zip(panels) {
                    let end = ((panel + 1) * job.lanes).min(outputs);
                    let grad = &grad[panel * job.lanes * pixels..end * pixels];
                    turn(s, grad, pixels, job.lanes, turned);
                }
                // SAFETY: filled above.
                let planes = unsafe { buffer::as_written(planes) };
                // SAFETY: `turn` has written all lanes of every pixel.
                let turned = unsafe { buffer::as_written(turned) };
                image_of(s, job, planes, turned, sums);
            }
            at += count;
        }
    }
}

/// Turns rows over: a row of `lanes` for every pixel, with zeros beyond the last channel.
#[inline(always)]
fn turn<S: Simd>(s: S, from: &[f32], pixels: usize, lanes: usize, to: &mut [MaybeUninit<f32>]) {
    let channels = from.len() / pixels.max(1);
    for first in (0..pixels).step_by(S::LANES) {
        let count = S::LANES.min(pixels - first);
        for lane in (0..lanes).step_by(S::LANES) {
            let mut square = [s.splat(0.0); 16];
            for (i, row) in square.iter_mut().enumerate().take(S::LANES) {
                if lane + i < channels {
                    *row = s.load_first(&from[(lane + i) * pixels + first..][..count], 0.0);
                }
            }
            transpose(s, &mut square);
            for (i, row) in square.iter().enumerate().take(S::LANES) {
                if i < count {
                    s.store(&mut to[(first + i) * lanes + lane..], *row);
                }
            }
        }
    }
}

/// Transposes the first `LANES` vectors. Each step rotates the bits of row and lane, taken as one
/// number, by one to the left: after all of the row's bits, rows and lanes have changed places.
#[inline(always)]
fn transpose<S: Simd>(s: S, rows: &mut [S::F; 16]) {
    for _ in 0..S::LANES.trailing_zeros() {
        let old = *rows;
        for i in 0..S::LANES / 2 {
            (rows[2 * i], rows[2 * i + 1]) = s.zip(old[i], old[i + S::LANES / 2]);
        }
    }
}

/// Adds the products of one image to the sums of some panels.
#[inline(always)]
fn image_of<S: Simd>(
    s: S,
    job: &WeightGradient<'_>,
    planes: &[f32],
    turned: &[f32],
    sums: &mut [f32],
) {
    let [height, width] = job.geometry.out;
    let (inner, lanes) = (job.runs.len(), job.lanes);
    if inner == 0 || height * width == 0 {
        return;
    }
    let last = job.runs.iter().max().map_or(0, |run| run + (height - 1) * job.planes.cols + width);
    assert!(last <= planes.len() && lanes == job.vectors * S::LANES);
    let chunk = (CHUNK / width).max(1);
    for row in (0..height).step_by(chunk) {
        let rows = chunk.min(height - row);
        for (panel, sums) in sums.chunks_exact_mut(inner * lanes).enumerate() {
            let outer = Outer {
                source: planes[row * job.planes.cols..].as_ptr(),
                cols: job.planes.cols,
                turned: turned[(panel * height + row) * width * lanes..][..rows * width * lanes]
                    .as_ptr(),
                size: [rows, width],
            };
            // SAFETY: the furthest pixel of the furthest run has been checked, and the panel.
            unsafe {
                if job.vectors == 1 {
                    runs_of::<S, 1>(s, outer, &job.runs, sums);
                } else {
                    runs_of::<S, 2>(s, outer, &job.runs, sums);
                }
            }
        }
    }
}

/// Rows of pixels: numbers of the planes, and rows of lanes.
#[derive(Clone, Copy)]
struct Outer {
    source: *const f32,
    /// Numbers of the planes from a row to the next.
    cols: usize,
    turned: *const f32,
    size: [usize; 2],
}

/// Adds to the sums of all runs, as many at a time as there are registers for.
///
/// # Safety
/// All pixels can be read, from every run on.
#[inline(always)]
unsafe fn runs_of<S: Simd, const V: usize>(s: S, job: Outer, runs: &[usize], sums: &mut [f32]) {
    let (mut runs, mut sums) = (runs, sums);
    let nine = S::TILE_VECTORS >= 4 && runs.len().is_multiple_of(9);
    while !runs.is_empty() {
        let now = match runs.len() {
            9.. if nine => 9,
            8.. if S::TILE_VECTORS >= 4 => 8,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let (these, other) = runs.split_at(now);
        let (to, rest) = sums.split_at_mut(now * V * S::LANES);
        // SAFETY: the caller's promise.
        unsafe {
            match now {
                9 if S::TILE_VECTORS >= 4 => outer_tile::<S, 9, V>(s, job, these, to),
                8 if S::TILE_VECTORS >= 4 => outer_tile::<S, 8, V>(s, job, these, to),
                4 => outer_tile::<S, 4, V>(s, job, these, to),
                2 => outer_tile::<S, 2, V>(s, job, these, to),
                _ => outer_tile::<S, 1, V>(s, job, these, to),
            }
        }
        (runs, sums) = (other, rest);
    }
}

#[inline(always)]
unsafe fn outer_tile<S: Simd, const R: usize, const V: usize>(
    s: S,
    job: Outer,
    runs: &[usize],
    to: &mut [f32],
) {
    assert!(runs.len() == R && to.len() == R * V * S::LANES);
    let mut sums = [[s.splat(0.0); V]; R];
    // SAFETY: (the rest of the function) the caller's promise; the sums have been checked.
    unsafe {
        let mut from: [_; R] = std::array::from_fn(|i| job.source.add(runs[i]));
        let mut lanes = job.turned;
        for _ in 0..job.size[0] {
            for col in 0..job.size[1] {
                let mut row = [s.splat(0.0); V];
                for (v, row) in row.iter_mut().enumerate() {
                    *row = s.load_ptr(lanes.add(v * S::LANES));
                }
                for (sums, from) in sums.iter_mut().zip(from) {
                    let value = s.splat(*from.add(col));
                    for (sum, row) in sums.iter_mut().zip(row) {
                        *sum = s.fma(value, row, *sum);
                    }
                }
                lanes = lanes.add(V * S::LANES);
            }
            for from in &mut from {
                *from = from.wrapping_add(job.cols);
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = to.as_mut_ptr().add((i * V + v) * S::LANES);
                s.store_ptr(to, s.add(s.load_ptr(to), *sum));
            }
        }
    }
}
