//! Charts: pure functions from a record's curves and rows to SVG.
//!
//! Colours come from the style sheet by class (`c0` to `c7`), so that a chart is readable in light
//! and dark; a dash pattern (`d0` to `d3`) tells methods apart where colour does not. Every chart
//! names itself to a screen reader and is followed by its numbers as a table.

mod bar;
mod line;
mod pair;
mod scale;
mod scatter;

use std::collections::BTreeSet;

use maud::{Markup, html};
use pressrun_lab::Record;

pub use bar::bars;
pub use line::lines;
pub use pair::pair;
pub use scale::{Scale, Tick};
pub use scatter::scatter;

/// Colours in the style sheet.
const COLOURS: usize = 8;
/// Dash patterns in the style sheet.
const DASHES: usize = 4;

/// Which method is drawn in which colour and dash, the same in all charts of a page.
///
/// # Example
/// ```
/// use pressrun_web::chart::Palette;
///
/// let palette = Palette::new(["OptFS", "FM"].map(String::from));
/// assert_eq!(palette.class("FM"), "c1 d1");
/// assert_eq!(palette.order("FM"), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Palette {
    methods: Vec<String>,
}

impl Palette {
    /// Colours in the order of these methods; a method named twice keeps its first place.
    pub fn new(methods: impl IntoIterator<Item = String>) -> Self {
        let mut seen = BTreeSet::new();
        let methods = methods.into_iter().filter(|m| seen.insert(m.clone())).collect();
        Self { methods }
    }

    /// The methods of a record: first those whose numbers its verdicts rest on, in the order of
    /// the claims, which are the paper's own; then the others in the order of their names.
    pub fn of(record: &Record) -> Self {
        let rows = record.rows.iter().map(|r| &r.method);
        let names: BTreeSet<&String> =
            rows.chain(record.curves.iter().map(|c| &c.method)).collect();
        let judged = record.verdicts.iter().flat_map(|v| &v.comparisons);
        let first = judged.map(|c| &c.measured_label).filter(|label| names.contains(label));
        Self::new(first.chain(names.iter().copied()).cloned())
    }

    /// The methods in their order.
    pub fn methods(&self) -> &[String] {
        &self.methods
    }

    /// The place of a method; those that the palette does not know stand at the end.
    pub fn order(&self, method: &str) -> usize {
        self.methods.iter().position(|m| m == method).unwrap_or(self.methods.len())
    }

    /// The classes of a method's marks.
    pub fn class(&self, method: &str) -> String {
        let order = self.order(method);
        // After one round of colours the dashes move on, so that no pair repeats for 32 methods.
        format!("c{} d{}", order % COLOURS, (order + order / COLOURS) % DASHES)
    }
}

/// A coordinate with one decimal: finer than a screen, and short.
fn at(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text cut to about `max` characters, for labels inside a drawing, where nothing wraps.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The frame of a chart: caption, drawing, legend, numbers.
struct Figure<'a> {
    id: &'a str,
    /// Name of the series or metric.
    name: &'a str,
    /// Its setting.
    setting: &'a str,
    /// Its meaning, as declared.
    meaning: &'a str,
    drawing: Markup,
    legend: Markup,
    table: Markup,
}

impl Figure<'_> {
    fn render(self) -> Markup {
        html! {
            figure.chart id=(self.id) {
                figcaption {
                    span.name { (self.name) }
                    @if !self.setting.is_empty() { " " span.setting { (self.setting) } }
                    @if !self.meaning.is_empty() { span.meaning { (self.meaning) } }
                }
                (self.drawing)
                (self.legend)
                details.numbers {
                    summary { "The numbers" }
                    div.scroll tabindex="0" role="group" aria-label="Numbers of the chart" {
                        (self.table)
                    }
                }
            }
        }
    }
}

/// The legend; nothing if there is only one method.
fn legend(palette: &Palette, methods: &[&str]) -> Markup {
    html! {
        @if methods.len() > 1 {
            ul.legend {
                @for method in methods {
                    li {
                        svg.swatch viewBox="0 0 26 8" aria-hidden="true" {
                            path.mean.(palette.class(method)) d="M1 4H25" {}
                        }
                        (method)
                    }
                }
            }
        }
    }
}

/// `test/auc (nats)`.
fn with_unit(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name} ({unit})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_32_methods_look_the_same() {
        let palette = Palette::new((0..32).map(|i| format!("m{i}")));
        let classes: BTreeSet<String> = (0..32).map(|i| palette.class(&format!("m{i}"))).collect();
        assert_eq!(classes.len(), 32);
    }

    #[test]
    fn coordinates_and_labels_are_short() {
        assert_eq!((at(12.04), at(0.25)), ("12".into(), "0.2".into()));
        assert_eq!(cut("dense-to-sparse gate", 8), "dense-t…");
        assert_eq!(cut("gate", 8), "gate");
    }
}
