//! Search as a site uses it: an index in a folder over a catalogue.

mod finding;
mod following;
mod fuzz;
mod recommending;
mod support;
