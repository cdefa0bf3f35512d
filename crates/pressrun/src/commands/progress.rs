//! Progress on a terminal.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of which the share that is done is told, with a message.
pub const SHARE: &str = "{elapsed:>4} {wide_bar} {percent:>3}% {msg}";
/// A bar of papers.
pub const COUNT: &str = "{elapsed:>4} {wide_bar} {pos} of {len} papers";

/// A bar of that form; a hidden one where standard error is no terminal.
pub fn bar(form: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(form);
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
