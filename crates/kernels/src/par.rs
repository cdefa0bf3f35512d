//! Division of work among threads.
//!
//! The number of threads is that of the rayon pool the caller runs in: where the lab runs arms side
//! by side, each in a pool of one thread, nothing is divided. Results do not depend on how work is
//! divided: every number is computed by one thread, in the same order of operations.

use std::mem::MaybeUninit;
use std::ops::Range;

/// Work below which waking another thread costs more than it saves, in units of about a
/// nanosecond of one thread.
const WORTH_A_THREAD: usize = 12_000;

/// Threads that are worth using for a work of `cost` (about nanoseconds of one thread).
pub(crate) fn threads_for(cost: usize) -> usize {
    let most = cost / WORTH_A_THREAD;
    if most <= 1 { 1 } else { rayon::current_num_threads().min(most) }
}

/// One side of a division: rows of `width` numbers.
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a mut [MaybeUninit<f32>],
    pub(crate) width: usize,
}

/// Calls `f` for ranges that together are all `rows`, each with its rows of the outputs; on
/// several threads if the work of `cost` in total is worth it. Ranges begin at multiples of `step`.
///
/// # Panics
/// If an output does not have `rows` rows.
pub(crate) fn for_rows<const K: usize>(
    rows: usize,
    step: usize,
    cost: usize,
    outs: [Rows<'_>; K],
    f: impl Fn(Range<usize>, [&mut [MaybeUninit<f32>]; K]) + Sync,
) {
    assert!(outs.iter().all(|out| out.data.len() == rows * out.width));
    split(0..rows, step, threads_for(cost), outs, &f);
}

fn split<const K: usize>(
    range: Range<usize>,
    step: usize,
    threads: usize,
    outs: [Rows<'_>; K],
    f: &(impl Fn(Range<usize>, [&mut [MaybeUninit<f32>]; K]) + Sync),
) {
    let steps = range.len().div_ceil(step);
    if threads <= 1 || steps <= 1 {
        return f(range, outs.map(|out| out.data));
    }
    let left = threads / 2;
    let rows = (steps * left / threads).max(1) * step;
    let mut parts = outs.map(|out| {
        let (a, b) = out.data.split_at_mut(rows * out.width);
        (Some(Rows { data: a, width: out.width }), Some(Rows { data: b, width: out.width }))
    });
    let take = |part: &mut Option<_>| part.take().expect("taken once");
    let first = parts.each_mut().map(|(a, _)| take(a));
    let second = parts.each_mut().map(|(_, b)| take(b));
    let middle = range.start + rows;
    rayon::join(
        || split(range.start..middle, step, left, first, f),
        || split(middle..range.end, step, threads - left, second, f),
    );
}

/// As [`for_rows`], in blocks of `step` rows: `f` is called once for each, also by one thread, and
/// beside its rows gets its row of every one of `parts`, which have a row for each block. For
/// reductions over rows: the blocks depend on the shape alone, and so do the bits of a sum over
/// them.
///
/// # Panics
/// If an output does not have `rows` rows, or a part not as many as there are blocks.
pub(crate) fn for_blocks<const K: usize, const P: usize>(
    rows: usize,
    step: usize,
    cost: usize,
    outs: [Rows<'_>; K],
    parts: [Rows<'_>; P],
    f: impl Fn(Range<usize>, [&mut [MaybeUninit<f32>]; K], [&mut [MaybeUninit<f32>]; P]) + Sync,
) {
    let blocks = rows.div_ceil(step);
    assert!(outs.iter().all(|out| out.data.len() == rows * out.width));
    assert!(parts.iter().all(|part| part.data.len() == blocks * part.width));
    split_blocks(0..rows, step, threads_for(cost), outs, parts, &f);
}

fn split_blocks<const K: usize, const P: usize>(
    range: Range<usize>,
    step: usize,
    threads: usize,
    outs: [Rows<'_>; K],
    parts: [Rows<'_>; P],
    f: &(impl Fn(Range<usize>, [&mut [MaybeUninit<f32>]; K], [&mut [MaybeUninit<f32>]; P]) + Sync),
) {
    let blocks = range.len().div_ceil(step);
    let left = threads / 2;
    if left == 0 || blocks <= 1 {
        let (mut outs, mut parts) = (outs, parts);
        for start in range.clone().step_by(step) {
            let count = step.min(range.end - start);
            let outs = outs.each_mut().map(|out| take_rows(out, count));
            let parts = parts.each_mut().map(|part| take_rows(part, 1));
            f(start..start + count, outs, parts);
        }
        return;
    }
    let first = (blocks * left / threads).max(1);
    let (mut outs, mut parts) = (outs, parts);
    let first_outs = outs.each_mut().map(|out| {
        let width = out.width;
        Rows { data: take_rows(out, first * step), width }
    });
    let first_parts = parts.each_mut().map(|part| {
        let width = part.width;
        Rows { data: take_rows(part, first), width }
    });
    let middle = range.start + first * step;
    rayon::join(
        || split_blocks(range.start..middle, step, left, first_outs, first_parts, f),
        || split_blocks(middle..range.end, step, threads - left, outs, parts, f),
    );
}

/// Takes the first `count` rows away.
fn take_rows<'a>(rows: &mut Rows<'a>, count: usize) -> &'a mut [MaybeUninit<f32>] {
    let (first, rest) = std::mem::take(&mut rows.data).split_at_mut(count * rows.width);
    rows.data = rest;
    first
}

/// Calls `f` for ranges that together are `0..count`, on several threads if worth it. For work
/// that writes through something else than rows of a slice.
pub(crate) fn for_ranges(count: usize, cost: usize, f: impl Fn(Range<usize>) + Sync) {
    for_rows::<0>(count, 1, cost, [], |range, []| f(range));
}

/// Pointers that several threads write through.
pub(crate) struct Shared<T>(T);
// SAFETY: the promise of `Shared::new`.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Lets several threads have it.
    ///
    /// # Safety
    /// They write to different places, and only read the rest.
    pub(crate) unsafe fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, through a method so that a closure takes the whole.
    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_visited_once_by_any_number_of_threads() {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for (rows, step) in [(0, 1), (1, 4), (10, 3), (64, 6)] {
                let mut out = vec![0.0; rows * 2];
                pool.install(|| {
                    let data = crate::buffer::as_uninit(&mut out);
                    let rows_of = Rows { data, width: 2 };
                    for_rows(rows, step, 1_000_000, [rows_of], |range, [part]| {
                        assert_eq!(part.len(), 2 * range.len());
                        assert!(range.start.is_multiple_of(step));
                        for (i, value) in part.iter_mut().enumerate() {
                            value.write((2 * range.start + i) as f32);
                        }
                    });
                });
                assert!(out.iter().enumerate().all(|(i, v)| *v == i as f32));
            }
        }
    }
    #[test]
    fn every_block_is_visited_once_with_its_rows_and_its_part() {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for (rows, step) in [(0usize, 1), (1, 4), (10, 3), (64, 8)] {
                let blocks = rows.div_ceil(step);
                let (mut out, mut part) = (vec![0.0; rows * 2], vec![0.0; blocks * 3]);
                pool.install(|| {
                    let outs = [Rows { data: crate::buffer::as_uninit(&mut out), width: 2 }];
                    let parts = [Rows { data: crate::buffer::as_uninit(&mut part), width: 3 }];
                    for_blocks(rows, step, 1_000_000, outs, parts, |range, [out], [part]| {
                        assert!(range.start.is_multiple_of(step) && range.len() <= step);
                        assert_eq!((out.len(), part.len()), (2 * range.len(), 3));
                        out.iter_mut().for_each(|v| _ = v.write(range.start as f32));
                        part.iter_mut().for_each(|v| _ = v.write(range.start as f32));
                    });
                });
                let first = |at: usize, width: usize| (at / width * step) as f32;
                assert!(part.iter().enumerate().all(|(i, v)| *v == first(i, 3)));
                assert!(out.iter().enumerate().all(|(i, v)| *v == first(i / step, 2)));
            }
        }
    }
}
