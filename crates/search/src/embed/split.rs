//! Which papers the embedder is not trained on.

use super::hash::fnv1a64;
use crate::words::words;

/// Of so many papers one is held out.
const HELD_OUT: u64 = 15;

/// Whether a paper is kept from training, so that the embedder can be scored by it.
///
/// It depends on the title's words alone, so that papers which are there twice are on one side.
///
/// ```
/// use pressrun_search::embed::held_out;
///
/// assert_eq!(held_out("Gates that Open"), held_out("GATES, that open!"));
/// let kept = (0..15_000).filter(|i| held_out(&format!("Paper {i}"))).count();
/// assert!((850..1150).contains(&kept));
/// ```
pub fn held_out(title: &str) -> bool {
    let mut joined = String::with_capacity(title.len());
    words(title, &mut |word, _| {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    });
    fnv1a64(joined.as_bytes()).is_multiple_of(HELD_OUT)
}
