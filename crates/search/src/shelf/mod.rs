//! What search holds of each paper besides its postings: vector, word order, and what results and
//! conditions need. In memory, and in one file that only grows.

mod block;
mod file;
mod pairs;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use self::block::{Block, Entry, Flag};
pub(crate) use self::file::ShelfFile;
pub(crate) use self::pairs::{Pairs, pair};
use crate::mask::Mask;

/// Papers of a full block.
pub(crate) const BLOCK: usize = 4096;

/// The papers of one commit. Cheap to clone: blocks that are full are shared.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    dims: usize,
    blocks: Vec<Arc<Block>>,
    alive: Arc<Mask>,
    /// The number under which a paper stands now.
    numbers: Arc<HashMap<Box<str>, u32, foldhash::fast::FixedState>>,
    papers: u32,
}

impl Shelf {
    /// An empty shelf for vectors of that many numbers.
    pub(crate) fn new(dims: usize) -> Self {
        let (alive, numbers) = (Arc::default(), Arc::default());
        Self { dims, blocks: Vec::new(), alive, numbers, papers: 0 }
    }

    /// One more than the last number, taken-out papers included.
    pub(crate) fn end(&self) -> u32 {
        self.papers
    }

    /// Papers that are there.
    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// The numbers that stand for a paper as it is now.
    pub(crate) fn alive(&self) -> &Mask {
        &self.alive
    }

    /// The number of a paper.
    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The blocks, each with the number of its first paper.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u32, &Block)> {
        (0..).step_by(BLOCK).zip(self.blocks.iter().map(Arc::as_ref))
    }

    fn place(&self, number: u32) -> (&Block, usize) {
        (&self.blocks[number as usize / BLOCK], number as usize % BLOCK)
    }

    pub(crate) fn entry(&self, number: u32) -> &Entry {
        let (block, row) = self.place(number);
        &block.entries[row]
    }

    pub(crate) fn vector(&self, number: u32) -> &[i8] {
        let (block, row) = self.place(number);
        &block.vectors[row * self.dims..][..self.dims]
    }

    /// The stems of title and abstract in their order, by [`crate::terms::number`].
    pub(crate) fn stems(&self, number: u32) -> &[u32] {
        let (block, row) = self.place(number);
        block.stems_of(row)
    }

    /// Puts papers at the end. A paper that is there already is taken out under its old number.
    pub(crate) fn append(&mut self, new: Block) {
        let alive = Arc::make_mut(&mut self.alive);
        let numbers = Arc::make_mut(&mut self.numbers);
        alive.grow(self.papers + new.entries.len() as u32);
        for (number, entry) in (self.papers..).zip(&new.entries) {
            if let Some(before) = numbers.insert(entry.id.clone(), number) {
                alive.clear(before);
            }
            alive.set(number);
        }
        let free = (self.papers as usize).is_multiple_of(BLOCK);
        self.papers += new.entries.len() as u32;
        if free && new.entries.len() <= BLOCK {
            self.blocks.push(Arc::new(new));
            return;
        }
        let Block { entries, vectors, stems, ends } = &new;
        let mut start = 0;
        for (row, entry) in entries.iter().enumerate() {
            let end = ends[row] as usize;
            if self.blocks.last().is_none_or(|last| last.entries.len() == BLOCK) {
                self.blocks.push(Arc::new(Block::default()));
            }
            if let Some(last) = self.blocks.last_mut() {
                let vector = &vectors[row * self.dims..][..self.dims];
                // The last block is copied once if a snapshot still reads it.
                Arc::make_mut(last).push(entry.clone(), vector, &stems[start..end]);
            }
            start = end;
        }
    }
}
