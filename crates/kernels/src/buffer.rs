//! Memory: results that are written once, and scratch that is used again.

use std::cell::RefCell;
use std::mem::MaybeUninit;

/// A result of `len` numbers that `fill` writes.
///
/// # Safety
/// `fill` writes every number.
pub(crate) unsafe fn written(len: usize, fill: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values = Box::new_uninit_slice(len);
    fill(&mut values);
    // SAFETY: the caller's promise.
    unsafe { values.assume_init() }.into_vec()
}

/// As [`written`], for several results of these lengths.
///
/// # Safety
/// `fill` writes every number of each.
pub(crate) unsafe fn written_all<const K: usize>(
    lens: [usize; K],
    fill: impl FnOnce([&mut [MaybeUninit<f32>]; K]),
) -> [Vec<f32>; K] {
    let mut values = lens.map(Box::new_uninit_slice);
    fill(values.each_mut().map(|values| &mut **values));
    // SAFETY: the caller's promise.
    values.map(|values| unsafe { values.assume_init() }.into_vec())
}

/// Initialised numbers as a place to write to.
pub(crate) fn as_uninit(values: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    let (start, len) = (values.as_mut_ptr(), values.len());
    // SAFETY: same layout; the kernels only ever write numbers, never uninitialised memory.
    unsafe { std::slice::from_raw_parts_mut(start.cast(), len) }
}

/// Numbers that have been written.
///
/// # Safety
/// They have.
pub(crate) unsafe fn as_written(values: &[MaybeUninit<f32>]) -> &[f32] {
    // SAFETY: the caller's promise; same layout.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
}

/// As [`as_written`], to be changed.
///
/// # Safety
/// They have been written.
pub(crate) unsafe fn as_written_mut(values: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: the caller's promise; same layout.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) }
}

/// A cache line, so that scratch begins at one.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "reached by pointer")] [MaybeUninit<f32>; 16]);

/// Most scratch that a thread keeps for later, in lines: 64 MiB.
const KEPT: usize = 1 << 20;

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Lends scratch of `len` numbers, uninitialised, which the thread uses again and again.
pub(crate) fn scratch<R>(len: usize, f: impl FnOnce(&mut [MaybeUninit<f32>]) -> R) -> R {
    let lines = len.div_ceil(16);
    let mut memory = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if memory.len() < lines {
        memory = vec![Line([MaybeUninit::uninit(); 16]); lines];
    }
    // SAFETY: as many numbers as there are lines of 16; uninitialised memory is allowed in them.
    let slice = unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), len) };
    let result = f(slice);
    FREE.with_borrow_mut(|free| {
        if memory.len() <= KEPT && free.len() < 8 {
            free.push(memory);
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_scratch_does_not_overlap_and_is_used_again() {
        let first = scratch(40, |outer| {
            outer.fill(MaybeUninit::new(1.0));
            scratch(40, |inner| inner.fill(MaybeUninit::new(2.0)));
            // SAFETY: filled above.
            assert!(unsafe { as_written(outer) }.iter().all(|v| *v == 1.0));
            outer.as_ptr() as usize
        });
        assert_eq!(first % 64, 0);
        let again = scratch(30, |outer| outer.as_ptr() as usize);
        assert!(again % 64 == 0 && again == first);
    }
}
