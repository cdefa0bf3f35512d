//! Where the numbers of heads are.

/// The sizes of an attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Examples.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Queries of an example.
    pub queries: usize,
    /// Keys and values of an example.
    pub keys: usize,
    /// Numbers of a query, key or value in one head.
    pub width: usize,
}

impl Shape {
    /// Numbers of all queries.
    pub(super) fn query_numbers(&self) -> usize {
        self.batch * self.heads * self.queries * self.width
    }

    /// Numbers of all keys.
    pub(super) fn key_numbers(&self) -> usize {
        self.batch * self.heads * self.keys * self.width
    }
}

/// The order of the dimensions of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[batch, time, heads, width]`: what a linear layer makes and takes.
    TimeHeads,
    /// `[batch, heads, time, width]`.
    HeadsTime,
}

impl Order {
    /// The strides of a result of so many steps in time.
    pub(super) fn strides(self, time: usize, shape: &Shape) -> Strides {
        match self {
            Self::TimeHeads => Strides::time_heads(time, shape.heads, shape.width),
            Self::HeadsTime => Strides::heads_time(time, shape.heads, shape.width),
        }
    }
}

/// Where the rows of heads begin: at `offset + b batch + h head + t time`. The numbers of a row
/// are contiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strides {
    /// The first number.
    pub offset: usize,
    /// From example to example.
    pub batch: usize,
    /// From head to head.
    pub head: usize,
    /// From one step in time to the next.
    pub time: usize,
}

impl Strides {
    /// Those of `[batch, time, heads, width]`.
    pub fn time_heads(time: usize, heads: usize, width: usize) -> Self {
        Self::packed(0, 1, time, heads, width)
    }

    /// Those of `[batch, heads, time, width]`.
    pub fn heads_time(time: usize, heads: usize, width: usize) -> Self {
        Self { offset: 0, batch: heads * time * width, head: time * width, time: width }
    }

    /// Those of one of the parts in `[batch, time, parts, heads, width]`: queries, keys and values
    /// that one linear layer makes.
    ///
    /// # Panics
    /// If there is no such part.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::attention::Strides;
    ///
    /// let values = Strides::packed(2, 3, 10, 4, 8);
    /// assert_eq!((values.offset, values.time, values.head), (64, 96, 8));
    /// ```
    pub fn packed(part: usize, parts: usize, time: usize, heads: usize, width: usize) -> Self {
        assert!(part < parts, "Strides::packed: part {part} of {parts}");
        let row = parts * heads * width;
        Self { offset: part * heads * width, batch: time * row, head: width, time: row }
    }

    /// Where a head of an example begins.
    pub(super) fn start(&self, b: usize, h: usize) -> usize {
        self.offset + b * self.batch + h * self.head
    }
}

/// Queries, keys, values or their gradients, of all heads.
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Where the rows are.
    pub strides: Strides,
}

impl<'a> Heads<'a> {
    /// The rows of a slice.
    pub fn new(data: &'a [f32], strides: Strides) -> Self {
        Self { data, strides }
    }

    /// Panics if a row lies outside of the slice.
    pub(super) fn check(&self, what: &str, time: usize, shape: &Shape) {
        let Shape { batch, heads, width, .. } = *shape;
        if ![batch, heads, time, width].contains(&0) {
            let Strides { offset, batch: b, head: h, time: t } = self.strides;
            // Strides may be anything: no product may overflow.
            let last = [(batch - 1, b), (heads - 1, h), (time - 1, t), (offset, 1), (width, 1)];
            let end: u128 = last.iter().map(|(n, stride)| *n as u128 * *stride as u128).sum();
            let len = self.data.len();
            assert!(end <= len as u128, "{what} of {len} numbers, expected {end} or more");
        }
    }

    /// The slice from a head's first number on; nothing if there is none.
    pub(super) fn head(&self, b: usize, h: usize) -> &'a [f32] {
        self.data.get(self.strides.start(b, h)..).unwrap_or_default()
    }
}
