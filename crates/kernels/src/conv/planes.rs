//! Images with their borders, laid out so that every place of a kernel sees one contiguous run.
//!
//! In an image with its border of zeros, what one place of the kernel sees for all outputs is the
//! image itself, shifted: the run of numbers that begins at the place. No patch is copied out, and
//! the image stays in the first-level cache. The price are the outputs that straddle the end of a
//! row, which are computed and dropped. With a stride, the image is divided into phases first (rows
//! and columns of the same remainder), and within a phase the stride is 1.

use std::mem::MaybeUninit;

use super::shape::{Conv2dShape, Geometry};
use crate::simd::Simd;

/// Zeros after every plane at least: the widest vector may read beyond a plane's end.
const SLACK: usize = 16;

/// How the channels of an image are laid out.
#[derive(Debug)]
pub(super) struct Planes {
    /// Size of a channel.
    size: [usize; 2],
    /// Distance of neighbours in a phase.
    stride: [usize; 2],
    /// First row and column of each phase, in the image with its border, and what it has of the
    /// image itself.
    phases: Vec<([usize; 2], Inside)>,
    /// Numbers from a row to the next.
    pub(super) cols: usize,
    /// Numbers from a phase to the next.
    plane: usize,
}

/// The part of a phase that lies in the image and not in its border.
#[derive(Debug)]
struct Inside {
    /// First row and column, in the phase and in the image.
    to: [usize; 2],
    from: [usize; 2],
    /// Rows and columns.
    size: [usize; 2],
}

impl Planes {
    /// `before`: zeros before the first row and column; `extent`: rows and columns of a phase.
    fn new(
        size: [usize; 2],
        before: [usize; 2],
        stride: [usize; 2],
        phases: Vec<[usize; 2]>,
        extent: [usize; 2],
    ) -> Self {
        let [rows, cols] = extent;
        let mut plane = (rows * cols + SLACK).next_multiple_of(16);
        // Planes that are 4 KiB apart compete for the same lines of the first-level cache.
        if plane.is_multiple_of(256) {
            plane += 16;
        }
        let inside = |phase: [usize; 2]| {
            let to: [_; 2] =
                std::array::from_fn(|d| before[d].saturating_sub(phase[d]).div_ceil(stride[d]));
            let from = std::array::from_fn(|d| to[d] * stride[d] + phase[d] - before[d]);
            let mut count: [_; 2] = std::array::from_fn(|d| {
                let there = size[d].saturating_sub(from[d]).div_ceil(stride[d]);
                there.min(extent[d].saturating_sub(to[d]))
            });
            if count.contains(&0) {
                count = [0, 0];
            }
            (phase, Inside { to, from, size: count })
        };
        let phases = phases.into_iter().map(inside).collect();
        Self { size, stride, phases, cols, plane }
    }

    /// The input of a convolution, in as many phases as its kernel sees.
    pub(super) fn of_input(geometry: &Geometry) -> Self {
        let Conv2dShape { height, width, kernel, stride, padding, dilation, .. } = geometry.conv;
        let mut phases = Vec::new();
        for (_, at) in geometry.places() {
            let phase = [at[0] % stride[0], at[1] % stride[1]];
            if !phases.contains(&phase) {
                phases.push(phase);
            }
        }
        let extent = |d: usize| geometry.out[d] + (kernel[d] - 1) * dilation[d] / stride[d];
        Self::new([height, width], padding, stride, phases, [extent(0), extent(1)])
    }

    /// A channel with borders: `before` its first row and column, up to an `extent` in all.
    pub(super) fn bordered(size: [usize; 2], before: [usize; 2], extent: [usize; 2]) -> Self {
        Self::new(size, before, [1, 1], vec![[0, 0]], extent)
    }

    /// Numbers of `channels`.
    pub(super) fn len(&self, channels: usize) -> usize {
        channels * self.channel()
    }

    /// Numbers from a channel to the next.
    pub(super) fn channel(&self) -> usize {
        self.phases.len() * self.plane
    }

    /// Numbers of a channel of the image.
    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Where the run of a place of the kernel begins, given how far the place is from the first.
    pub(super) fn run(&self, at: [usize; 2]) -> usize {
        let phase = [at[0] % self.stride[0], at[1] % self.stride[1]];
        let index =
            self.phases.iter().position(|(p, _)| *p == phase).expect("a phase that is laid out");
        index * self.plane + at[0] / self.stride[0] * self.cols + at[1] / self.stride[1]
    }

    /// Lays out channels. Borders are not written: they must be zeros already.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, s: S, from: &[f32], to: &mut [MaybeUninit<f32>]) {
        let [height, width] = self.size;
        let [down, across] = self.stride;
        let channels = to.chunks_exact_mut(self.channel());
        // Nothing lies inside of an empty image.
        for (from, to) in from.chunks_exact((height * width).max(1)).zip(channels) {
            for ((_, inside), to) in self.phases.iter().zip(to.chunks_exact_mut(self.plane)) {
                let [rows, cols] = inside.size;
                for r in 0..rows {
                    let from = &from[(inside.from[0] + r * down) * width + inside.from[1]..];
                    let to = &mut to[(inside.to[0] + r) * self.cols + inside.to[1]..][..cols];
                    if across == 1 {
                        copy(s, &from[..cols], to);
                    } else {
                        collect(from, across, to);
                    }
                }
            }
        }
    }
}

/// Copies a short run; a call of `memcpy` would take longer than the copy.
#[inline(always)]
pub(super) fn copy<S: Simd>(s: S, from: &[f32], to: &mut [MaybeUninit<f32>]) {
    let len = from.len();
    assert_eq!(len, to.len());
    let mut at = 0;
    while at + S::LANES <= len {
        s.store(&mut to[at..], s.load(&from[at..]));
        at += S::LANES;
    }
    if at < len {
        // SAFETY: no more than the rest of both slices, which have the same length.
        unsafe {
            let rest = s.load_ptr_first(from.as_ptr().add(at), len - at);
            s.store_ptr_first(to.as_mut_ptr().add(at).cast(), len - at, rest);
        }
    }
}

/// Reads every `step`-th number.
#[inline(always)]
fn collect(from: &[f32], step: usize, to: &mut [MaybeUninit<f32>]) {
    assert!(to.is_empty() || (to.len() - 1) * step < from.len());
    // SAFETY: the last number has been checked.
    let read = |i: usize, step: usize| unsafe { *from.get_unchecked(i * step) };
    if step == 2 {
        // A constant step is a shuffle of vectors.
        to.iter_mut().enumerate().for_each(|(i, to)| _ = to.write(read(i, 2)));
    } else {
        to.iter_mut().enumerate().for_each(|(i, to)| _ = to.write(read(i, step)));
    }
}

/// Writes every `step`-th number.
#[inline(always)]
pub(super) fn spread(from: &[f32], step: usize, to: &mut [MaybeUninit<f32>]) {
    assert!(from.is_empty() || (from.len() - 1) * step < to.len());
    for (i, from) in from.iter().enumerate() {
        // SAFETY: the last number has been checked.
        unsafe { to.get_unchecked_mut(i * step).write(*from) };
    }
}
