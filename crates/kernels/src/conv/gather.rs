//! The driver of outputs and of input gradients: both gather runs of bordered planes.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::planes::{Planes, copy, spread};
use super::shape::Geometry;
use super::tile::{self, Runs};
use crate::buffer;
use crate::par::{self, Rows};
use crate::simd::{Simd, Token, vectorized};

/// Multiplications of a core in a nanosecond, roughly, for deciding about threads.
pub(super) const PER_NANOSECOND: usize = 40;
/// Numbers of a row that are computed before they are put in place.
const CHUNK: usize = 512;

/// Results that have one list of runs: all of them, or those of one phase of the stride.
struct Part {
    /// Where the runs of a group begin: of every source channel, for every place of the kernel.
    runs: Vec<usize>,
    /// Of every group: blocks of rows, column after column.
    weights: Vec<f32>,
    /// Rows and columns.
    size: [usize; 2],
    /// The first one's row and column in the destination.
    first: [usize; 2],
}

/// Results `[batch, groups * results, destination..]` from a source `[batch, groups * channels,
/// ..]`.
struct Gather<'a> {
    batch: usize,
    groups: usize,
    /// Source channels of a group.
    channels: usize,
    planes: Planes,
    parts: Vec<Part>,
    /// Result channels of a group.
    results: usize,
    destination: [usize; 2],
    /// Distance of a part's neighbours in the destination.
    stride: [usize; 2],
    bias: Option<&'a [f32]>,
    work: usize,
}

/// The output of a convolution.
pub(super) fn output(geometry: &Geometry, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let planes = Planes::of_input(geometry);
    let (channels, taps, results) = (geometry.inputs(), geometry.taps(), geometry.outputs());
    let runs = (0..channels)
        .flat_map(|c| geometry.places().map(move |(_, at)| (c, at)))
        .map(|(c, at)| c * planes.channel() + planes.run(at))
        .collect();
    let inner = channels * taps;
    let weights = blocks(geometry.conv.groups, results, inner, |group, result, p| {
        w[(group * results + result) * inner + p]
    });
    Gather {
        batch: geometry.conv.batch,
        groups: geometry.conv.groups,
        channels,
        planes,
        parts: vec![Part { runs, weights, size: geometry.out, first: [0, 0] }],
        results,
        destination: geometry.out,
        stride: [1, 1],
        bias,
        work: geometry.work(),
    }
    .run(x)
}

/// The gradient of a convolution's input, or the output of a transposed convolution.
///
/// Row y of a phase of the padded input has been seen by the output's row y - d for every place of
/// the kernel that lies d rows further in the phase. So the gradient of a phase is a convolution of
/// the bordered output gradient with stride 1, whose kernel is the mirror image of those places.
pub(super) fn input_gradient(
    geometry: &Geometry,
    grad: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let conv = geometry.conv;
    let (stride, size) = (conv.stride, [conv.height, conv.width]);
    // Rows or columns of a phase that lie in the image.
    let within = |d: usize, phase: usize| {
        let from = conv.padding[d].saturating_sub(phase).div_ceil(stride[d]);
        from..(conv.padding[d] + size[d]).saturating_sub(phase).div_ceil(stride[d]).max(from)
    };
    let mut extent = [0; 2];
    let before = std::array::from_fn(|d| {
        let first = (0..stride[d]).map(|phase| within(d, phase).start).min().unwrap_or(0);
        let reach = (conv.kernel[d] - 1) * conv.dilation[d] / stride[d];
        let before = reach.saturating_sub(first);
        let last = (0..stride[d]).map(|phase| within(d, phase).end).max().unwrap_or(0);
        extent[d] = last + before;
        before
    });
    let planes = Planes::bordered(geometry.out, before, extent);
    let phases = (0..stride[0]).flat_map(|a| (0..stride[1]).map(move |b| [a, b]));
    let parts = phases.map(|phase| {
        let range: [_; 2] = std::array::from_fn(|d| within(d, phase[d]));
        let first = [range[0].start, range[1].start];
        phase_of_input(geometry, &planes, w, before, phase, first, range.map(|r| r.len()))
    });
    Gather {
        batch: conv.batch,
        groups: conv.groups,
        channels: geometry.outputs(),
        parts: parts.collect(),
        planes,
        results: geometry.inputs(),
        destination: size,
        stride,
        bias,
        work: geometry.work(),
    }
    .run(grad)
}

/// A phase of the input's gradient: `size` of it, from `start` in the phase on.
fn phase_of_input(
    geometry: &Geometry,
    planes: &Planes,
    w: &[f32],
    before: [usize; 2],
    phase: [usize; 2],
    start: [usize; 2],
    size: [usize; 2],
) -> Part {
    let conv = geometry.conv;
    let (channels, taps) = (geometry.outputs(), geometry.taps());
    let seen: Vec<_> = geometry
        .places()
        .filter(|(_, at)| (0..2).all(|d| at[d] % conv.stride[d] == phase[d]))
        .map(|(tap, at)| {
            let down = |d: usize| (start[d] + before[d]).wrapping_sub(at[d] / conv.stride[d]);
            // Phases that are empty may lie anywhere; nothing of them is read.
            let run = down(0).wrapping_mul(planes.cols).wrapping_add(down(1));
            (tap[0] * conv.kernel[1] + tap[1], run)
        })
        .collect();
    let runs = (0..channels)
        .flat_map(|o| seen.iter().map(move |(_, run)| (o, run)))
        .map(|(o, run)| run.wrapping_add(o * planes.channel()))
        .collect();
    let inner = channels * seen.len();
    let results = geometry.inputs();
    let weights = blocks(conv.groups, results, inner, |group, c, p| {
        let (o, (tap, _)) = (p / seen.len(), seen[p % seen.len()]);
        w[((group * channels + o) * results + c) * taps + tap]
    });
    let first = std::array::from_fn(|d| {
        (start[d] * conv.stride[d] + phase[d]).wrapping_sub(conv.padding[d])
    });
    Part { runs, weights, size, first }
}

/// Weights in the order in which tiles read them.
fn blocks(
    groups: usize,
    results: usize,
    inner: usize,
    weight: impl Fn(usize, usize, usize) -> f32,
) -> Vec<f32> {
    let most = most_rows(Token::current());
    let mut to = Vec::with_capacity(groups * results * inner);
    for group in 0..groups {
        let mut first = 0;
        while first < results {
            let rows = tile::block_rows(most, results - first);
            for p in 0..inner {
                to.extend((first..first + rows).map(|result| weight(group, result, p)));
            }
            first += rows;
        }
    }
    to
}

vectorized! {
    fn most_rows(s, token;) -> usize {
        let _ = s;
        tile::most_rows::<S>()
    }
}

impl Gather<'_> {
    fn run(&self, source: &[f32]) -> Vec<f32> {
        let token = Token::current();
        let most = most_rows(token);
        let channels = self.groups * self.results;
        let width = self.destination[0] * self.destination[1];
        let rows = self.batch * channels;
        let cost = self.work / PER_NANOSECOND + rows * width / 8;
        let threads = par::threads_for(cost);
        // Whole images; if they are too few for the threads, groups or blocks of channels, for each
        // of which the image is laid out again.
        let step = if self.batch.is_multiple_of(threads) || self.batch >= 4 * threads {
            channels
        } else if self.groups == 1 && (self.batch == 1 || self.results.is_multiple_of(most)) {
            most
        } else {
            self.results
        };
        let longest = self.parts.iter().map(|part| part.chunk(&self.planes)).max().unwrap_or(0);
        let sizes = [self.planes.len(self.channels), most * (longest + 16).next_multiple_of(16)];
        // SAFETY: parts cover the destination, and all of them are computed for every plane.
        unsafe {
            buffer::written(rows * width, |out| {
                if width == 0 {
                    return;
                }
                par::for_rows(
                    rows,
                    step.max(1),
                    cost,
                    [Rows { data: out, width }],
                    |range, [out]| {
                        buffer::scratch(sizes[0] + sizes[1], |memory| {
                            let (planes, tile) = memory.split_at_mut(sizes[0]);
                            channels_of(token, self, source, range, out, planes, tile);
                        });
                    },
                );
            })
        }
    }
}

vectorized! {
    /// Result channels of a range, counted through the batch.
    fn channels_of(
        s, token;
        job: &Gather<'_>,
        source: &[f32],
        range: Range<usize>,
        out: &mut [MaybeUninit<f32>],
        planes: &mut [MaybeUninit<f32>],
        tile: &mut [MaybeUninit<f32>],
    ) {
        planes.fill(MaybeUninit::new(0.0));
        let width = job.destination[0] * job.destination[1];
        let from = job.channels * job.planes.pixels();
        let mut at = range.start;
        while at < range.end {
            let (group, first) = (at / job.results, at % job.results);
            let count = (job.results - first).min(range.end - at);
            job.planes.fill(s, &source[group * from..][..from], planes);
            // SAFETY: all of it has been filled.
            let planes = unsafe { buffer::as_written(planes) };
            let out = &mut out[(at - range.start) * width..][..count * width];
            for part in &job.parts {
                part_of(s, job, part, group % job.groups, first..first + count, planes, out, tile);
            }
            at += count;
        }
    }
}

impl Part {
    /// Rows that are computed before they are put in place.
    #[inline(always)]
    fn chunk_rows(&self, cols: usize) -> usize {
        (CHUNK / cols.max(1)).clamp(1, self.size[0].max(1))
    }

    /// Numbers of a row of such a chunk, with those that are dropped.
    fn chunk(&self, planes: &Planes) -> usize {
        self.chunk_rows(planes.cols) * planes.cols
    }
}

/// A part's results for one image and group: channels of a range, which begins with a block.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn part_of<S: Simd>(
    s: S,
    job: &Gather<'_>,
    part: &Part,
    group: usize,
    range: Range<usize>,
    planes: &[f32],
    out: &mut [MaybeUninit<f32>],
    tile: &mut [MaybeUninit<f32>],
) {
    let [rows, cols] = part.size;
    if rows == 0 || cols == 0 {
        return;
    }
    let (inner, most) = (part.runs.len(), tile::most_rows::<S>());
    let end = part.runs.iter().max().map_or(0, |run| run + (rows - 1) * job.planes.cols + cols);
    assert!(end + 15 <= planes.len() || inner == 0, "a run beyond the last plane");
    let chunk = part.chunk_rows(job.planes.cols);
    let pixels = job.destination[0] * job.destination[1];
    for row in (0..rows).step_by(chunk) {
        let now = chunk.min(rows - row);
        let vectors = ((now - 1) * job.planes.cols + cols).div_ceil(S::LANES);
        let mut channel = range.start;
        while channel < range.end {
            let block = tile::block_rows(most, job.results - channel);
            let index = group * job.results + channel;
            let bias = job.bias.map_or(std::ptr::null(), |bias| bias[index..][..block].as_ptr());
            let weights = part.weights[index * inner..][..block * inner].as_ptr();
            assert!(block * vectors * S::LANES <= tile.len());
            let product = Runs {
                weights,
                source: planes[row * job.planes.cols..].as_ptr(),
                runs: &part.runs,
                bias,
                to: tile.as_mut_ptr().cast(),
                row: vectors * S::LANES,
            };
            // SAFETY: weights, bias, results and the furthest run have been checked; rounding up to
            // whole vectors adds at most 15 numbers.
            unsafe { tile::product(s, product, block, vectors) };
            for (i, tile) in tile.chunks_exact(vectors * S::LANES).take(block).enumerate() {
                // SAFETY: computed above.
                let tile = unsafe { buffer::as_written(tile) };
                let out = &mut out[(channel - range.start + i) * pixels..][..pixels];
                place(s, job, part, tile, row..row + now, out);
            }
            channel += block;
        }
    }
}

/// Puts a part's rows in place, without what straddles their ends.
#[inline(always)]
fn place<S: Simd>(
    s: S,
    job: &Gather<'_>,
    part: &Part,
    tile: &[f32],
    rows: Range<usize>,
    out: &mut [MaybeUninit<f32>],
) {
    let [down, across] = job.stride;
    for (row, from) in rows.zip(tile.chunks(job.planes.cols)) {
        let from = &from[..part.size[1]];
        let at = (part.first[0] + row * down) * job.destination[1] + part.first[1];
        if across == 1 {
            copy(s, from, &mut out[at..][..from.len()]);
        } else {
            spread(from, across, &mut out[at..]);
        }
    }
}
