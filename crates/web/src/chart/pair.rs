//! The two numbers of a comparison, one above the other on one scale.

use maud::{Markup, html};
use pressrun_lab::{Comparison, Stat};

use super::{Scale, at};

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 40.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = 152.0;

/// A small drawing of a comparison: a full dot for the measured number, a ring or, for a limit, a
/// line for what it is compared with, each with one standard deviation to either side.
///
/// It repeats numbers that stand beside it as text, so it is hidden from screen readers. Nothing is
/// drawn if one of the numbers is not finite.
pub fn pair(comparison: &Comparison) -> Markup {
    let (measured, against) = (&comparison.measured, &comparison.against);
    let limit = comparison.against_label == "limit";
    let ends = [measured, against].into_iter().flat_map(|s| [s.mean - s.sd, s.mean + s.sd]);
    let ends: Vec<f64> = ends.collect();
    if ends.iter().any(|v| !v.is_finite()) {
        return html! {};
    }
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scale = Scale::exact(low, high, (LEFT, RIGHT), 2);
    let (upper, lower) = (13.0, 28.0);
    html! {
        svg.pair viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } aria-hidden="true" focusable="false" {
            @if let (Some(m), Some(a)) = (scale.place(measured.mean), scale.place(against.mean)) {
                path.guide d={ "M" (at(a)) " 3V37" } {}
                (whisker(measured, upper, &scale, "measured"))
                circle.measured cx=(at(m)) cy=(at(upper)) r="5" {}
                @if !limit {
                    (whisker(against, lower, &scale, "against"))
                    circle.against cx=(at(a)) cy=(at(lower)) r="4.5" {}
                }
            }
        }
    }
}

fn whisker(stat: &Stat, y: f64, scale: &Scale, class: &str) -> Markup {
    let ends = scale.place(stat.mean - stat.sd).zip(scale.place(stat.mean + stat.sd));
    html! {
        @if let (true, Some((low, high))) = (stat.n > 1 && stat.sd > 0.0, ends) {
            path.whisker.(class) d={ "M" (at(low)) " " (at(y)) "H" (at(high)) } {}
        }
    }
}

#[cfg(test)]
mod tests {
    use pressrun_lab::{Judge, Manifest};

    use super::*;

    fn comparison(measured: Stat, against: Stat) -> Comparison {
        let manifest = Manifest::parse(
            r#"
            slug = "d"
            title = "t"
            abstract = "a"
            authors = []
            published = "2024"
            listed = "2025-09-09"
            family = "f"
            [[claim]]
            id = "C1"
            text = "t"
            source = "s"
            status = "confirmed"
            [[claim.check]]
            id = "x"
            what = "w"
            level = "reproduced"
            test = { kind = "higher", by = 0.0, unit = "absolute" }
            "#,
            "d",
        )
        .unwrap();
        let mut judge = Judge::new(&manifest);
        judge.compare("C1", "x", ("m", measured), ("b", against)).unwrap();
        judge.conclude().remove(0).comparisons.remove(0)
    }

    #[test]
    fn the_better_number_lies_to_the_right() {
        let sd = |mean| Stat { mean, sd: 0.1, n: 3 };
        let svg = pair(&comparison(sd(0.9), sd(0.5))).0;
        let place = |class: &str| -> f64 {
            let from = svg.find(&format!("<circle class=\"{class}\" cx=\"")).unwrap();
            svg[from..].split('"').nth(3).unwrap().parse().unwrap()
        };
        assert!(place("measured") > place("against"), "{svg}");
        assert_eq!(svg.matches("whisker").count(), 2);
    }

    #[test]
    fn nothing_is_drawn_of_a_number_that_is_not_finite() {
        assert_eq!(pair(&comparison(Stat::exact(f64::NAN), Stat::exact(1.0))).0, "");
    }
}
