//! A map that holds so many entries, and then forgets the oldest.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The entries that came in last. What it hands out are copies: values are meant to be `Arc`s.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    most: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, V>,
    /// Keys in the order in which they came in: the first goes first.
    order: VecDeque<K>,
}

impl<K: Hash + Eq + Clone, V: Clone> Bounded<K, V> {
    /// An empty map for at most so many entries.
    pub(crate) fn new(most: usize) -> Self {
        let entries = Entries { by_key: HashMap::new(), order: VecDeque::new() };
        Self { most, entries: Mutex::new(entries) }
    }

    /// The value of a key.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.lock().by_key.get(key).cloned()
    }

    /// Keeps a value; it takes the place of the key's former one.
    pub(crate) fn put(&self, key: K, value: V) {
        let mut entries = self.lock();
        // Two requests may have made the same value at once.
        if entries.by_key.insert(key.clone(), value).is_none() {
            entries.order.push_back(key);
        }
        while entries.order.len() > self.most {
            if let Some(oldest) = entries.order.pop_front() {
                entries.by_key.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let map = Bounded::new(2);
        for (key, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            map.put(key, value);
        }
        assert_eq!(["a", "b", "c"].map(|key| map.get(key)), [None, Some(2), Some(4)]);
    }
}
