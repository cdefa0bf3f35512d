//! The innermost loop: a tile of C in registers.

use crate::simd::Simd;

/// What a tile needs; pointers to its own first elements.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    /// First element of the tile's rows of A, and its strides.
    pub(crate) a: *const f32,
    pub(crate) a_row: usize,
    pub(crate) a_col: usize,
    /// First element of the tile's columns of B; rows are contiguous, `b_row` apart.
    pub(crate) b: *const f32,
    pub(crate) b_row: usize,
    /// Inner length.
    pub(crate) k: usize,
    /// What is added to the sums, or null.
    pub(crate) from: *const f32,
    pub(crate) from_row: usize,
    /// Added to every row, or null.
    pub(crate) bias: *const f32,
    pub(crate) c: *mut f32,
    pub(crate) c_row: usize,
    /// Columns; the last vector may hold fewer than its lanes.
    pub(crate) cols: usize,
}

impl Tile {
    /// Null pointers and sizes of 0.
    pub(crate) const EMPTY: Self = Self {
        a: std::ptr::null(),
        a_row: 0,
        a_col: 0,
        b: std::ptr::null(),
        b_row: 0,
        k: 0,
        from: std::ptr::null(),
        from_row: 0,
        bias: std::ptr::null(),
        c: std::ptr::null_mut(),
        c_row: 0,
        cols: 0,
    };
}

/// Computes a tile of `rows` rows, in registers as many at a time as fit.
///
/// # Safety
/// All elements of A, B, `from`, bias and C within `rows`, `k` and `cols` can be read or written,
/// and C is not read through any of the others, but for `from`.
#[inline(always)]
pub(crate) unsafe fn rows<S: Simd>(s: S, mut tile: Tile, mut rows: usize) {
    let vectors = tile.cols.div_ceil(S::LANES);
    let full = tile.cols.is_multiple_of(S::LANES);
    let most = if S::TILE_VECTORS == 1 {
        4
    } else if vectors == S::TILE_VECTORS {
        6
    } else {
        8
    };
    while rows > 0 {
        let now = match rows.min(most) {
            8 => 8,
            6.. if most == 6 => 6,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        // SAFETY: the caller's promise.
        unsafe {
            match (vectors, full) {
                (1, true) => tile_of::<S, 1, false>(s, &tile, now),
                (1, false) => tile_of::<S, 1, true>(s, &tile, now),
                (2, true) => tile_of::<S, 2, false>(s, &tile, now),
                (2, false) => tile_of::<S, 2, true>(s, &tile, now),
                (3, true) => tile_of::<S, 3, false>(s, &tile, now),
                (3, false) => tile_of::<S, 3, true>(s, &tile, now),
                (4, true) => tile_of::<S, 4, false>(s, &tile, now),
                _ => tile_of::<S, 4, true>(s, &tile, now),
            }
            tile.a = tile.a.add(now * tile.a_row);
            tile.c = tile.c.add(now * tile.c_row);
            if !tile.from.is_null() {
                tile.from = tile.from.add(now * tile.from_row);
            }
        }
        rows -= now;
    }
}

#[inline(always)]
unsafe fn tile_of<S: Simd, const V: usize, const TAIL: bool>(s: S, tile: &Tile, rows: usize) {
    if V > S::TILE_VECTORS {
        unreachable!("no tile of this level is that wide");
    }
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            8 if V < S::TILE_VECTORS => tile_in_registers::<S, 8, V, TAIL>(s, tile),
            6 if V == S::TILE_VECTORS && V > 1 => tile_in_registers::<S, 6, V, TAIL>(s, tile),
            4 => tile_in_registers::<S, 4, V, TAIL>(s, tile),
            2 => tile_in_registers::<S, 2, V, TAIL>(s, tile),
            _ => tile_in_registers::<S, 1, V, TAIL>(s, tile),
        }
    }
}

#[inline(always)]
unsafe fn tile_in_registers<S: Simd, const M: usize, const V: usize, const TAIL: bool>(
    s: S,
    tile: &Tile,
) {
    let tail = tile.cols - (V - 1) * S::LANES;
    // SAFETY: (all of the function) within the bounds that the caller promises; the last vector is
    // read and written only as far as the tile's columns go.
    unsafe {
        let load = |from: *const f32, v: usize| {
            if TAIL && v == V - 1 {
                s.load_ptr_first(from.add(v * S::LANES), tail)
            } else {
                s.load_ptr(from.add(v * S::LANES))
            }
        };
        let mut sums = [[s.splat(0.0); V]; M];
        let mut a = [tile.a; M];
        for (i, a) in a.iter_mut().enumerate() {
            *a = tile.a.add(i * tile.a_row);
        }
        let (mut b, mut at) = (tile.b, 0);
        for _ in 0..tile.k {
            let mut row = [s.splat(0.0); V];
            for (v, row) in row.iter_mut().enumerate() {
                *row = load(b, v);
            }
            for i in 0..M {
                let value = s.splat(*a[i].add(at));
                for v in 0..V {
                    sums[i][v] = s.fma(value, row[v], sums[i][v]);
                }
            }
            b = b.wrapping_add(tile.b_row);
            at += tile.a_col;
        }
        // At the end, not as the first term: the error of a long sum then grows with the root of
        // a block's length and not of the whole.
        if !tile.from.is_null() {
            for (i, sums) in sums.iter_mut().enumerate() {
                let from = tile.from.add(i * tile.from_row);
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = s.add(*sum, load(from, v));
                }
            }
        }
        if !tile.bias.is_null() {
            for v in 0..V {
                let bias = load(tile.bias, v);
                for sums in &mut sums {
                    sums[v] = s.add(sums[v], bias);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            let c = tile.c.add(i * tile.c_row);
            for (v, sum) in sums.iter().enumerate() {
                let c = c.add(v * S::LANES);
                if TAIL && v == V - 1 {
                    s.store_ptr_first(c, tail, *sum);
                } else {
                    s.store_ptr(c, *sum);
                }
            }
        }
    }
}
