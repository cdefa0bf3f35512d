//! Formulas as `MathML`, within bounds.

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};

/// Longest formula, in bytes.
const LONGEST: usize = 1000;
/// Most braces, environments and the like within each other. The translator descends into each, so that
/// this and the length bound its stack.
const NESTED: usize = 40;
/// Deepest `MathML`; browsers stop at about five hundred elements within each other, of all of the page.
const DEEPEST: usize = 100;
/// Largest `MathML`, in bytes.
const LARGEST: usize = 64 << 10;

static CONVERTER: LazyLock<Option<LatexToMathML>> =
    LazyLock::new(|| LatexToMathML::new(MathCoreConfig::default()).ok());

/// A formula as `MathML`; `None` for what is none, or beyond the bounds.
pub(super) fn mathml(source: &str, block: bool) -> Option<String> {
    if source.len() > LONGEST || nesting(source) > NESTED {
        return None;
    }
    let display = if block { MathDisplay::Block } else { MathDisplay::Inline };
    let converter = CONVERTER.as_ref()?;
    // A fault of the translator must not make every page unreadable on which the formula stands. It has
    // no state that one could leave broken.
    let translate = AssertUnwindSafe(|| converter.convert_with_local_state(source, display));
    let math = std::panic::catch_unwind(translate).ok()?.ok()?.mathml;
    if math.len() > LARGEST || depth(&math) > DEEPEST {
        return None;
    }
    // Styles are not let through; where a cell stands is worth keeping.
    let math = math.replace("<mtd style=\"text-align: left;", "<mtd class=\"left\" style=\"");
    Some(math.replace("<mtd style=\"text-align: right;", "<mtd class=\"right\" style=\""))
}

/// How deep a source may lead: whatever opens something, and commands and scripts that stand directly
/// before each other and so take each other as arguments.
fn nesting(source: &str) -> usize {
    let (mut open, mut most, mut chain): (usize, usize, usize) = (0, 0, 0);
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '[' | '(' => {
                open += 1;
                chain = 0;
            }
            '}' | ']' | ')' => {
                open = open.saturating_sub(1);
                chain = 0;
            }
            '^' | '_' | '&' => chain += 1,
            '\\' => {
                let mut name = String::new();
                while let Some(letter) = chars.next_if(char::is_ascii_alphabetic) {
                    name.push(letter);
                }
                match name.as_str() {
                    "left" | "begin" | "begingroup" | "bgroup" => open += 1,
                    "right" | "end" | "endgroup" | "egroup" => open = open.saturating_sub(1),
                    "" => {
                        chars.next();
                    }
                    _ => chain += 1,
                }
            }
            c if c.is_whitespace() => {}
            _ => chain = 0,
        }
        most = most.max(open + chain);
    }
    most
}

/// How deep the elements stand within each other.
fn depth(math: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for part in math.split('<').skip(1) {
        if part.starts_with('/') {
            now = now.saturating_sub(1);
        } else if !part.split('>').next().is_some_and(|tag| tag.ends_with('/')) {
            now += 1;
            most = most.max(now);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What formulas are made of.
    const PIECES: [&str; 48] = [
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "^",
        "_",
        "&",
        "'",
        "x",
        "1",
        "+",
        "=",
        "<",
        "é",
        " ",
        "~",
        "%",
        "#1",
        "\\\\",
        r"\frac",
        r"\sqrt",
        r"\left",
        r"\right",
        r"\middle",
        r"\begin{matrix}",
        r"\end{matrix}",
        r"\begin{align}",
        r"\end{align}",
        r"\begin{array}{l|r}",
        r"\end{array}",
        r"\text{",
        r"\mathbb",
        r"\operatorname{",
        r"\not",
        r"\sum\limits",
        r"\overset",
        r"\substack{",
        r"\tag{",
        r"\label{",
        r"\hline",
        r"\color{",
        r"\big",
        r"\|",
        r"\,",
        r"\hat",
        r"\phantom{",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn any_formula_is_drawn_within_bounds_or_not_at_all(
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..30),
            block in any::<bool>(),
        ) {
            if let Some(math) = mathml(&pieces.concat(), block) {
                prop_assert!(math.len() <= LARGEST * 2 && depth(&math) <= DEEPEST);
                prop_assert!(math.starts_with("<math") && math.ends_with("</math>"));
            }
        }
    }

    #[test]
    fn formulas_become_mathml() {
        let math = mathml(r"\frac{1}{2} \sum_{i=1}^n x_i^2", false).unwrap();
        assert!(math.starts_with("<math>") && math.contains("<mfrac>"), "{math}");
        let math = mathml(r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", true).unwrap();
        assert!(math.contains("display=\"block\"") && math.contains("<mtd"), "{math}");
        let math = mathml(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", true).unwrap();
        assert!(math.contains("class=\"right\"") && math.contains("class=\"left\""), "{math}");
        for none in [r"\nosuchcommand{x}", "{", r"\frac{1}", r"\input{/etc/passwd}"] {
            assert_eq!(mathml(none, false), None, "{none}");
        }
    }

    #[test]
    fn what_grows_without_end_is_not_drawn() {
        let small = 1 << 20;
        std::thread::Builder::new()
            .stack_size(small)
            .spawn(|| {
                for bomb in [
                    "{".repeat(500) + &"}".repeat(500),
                    r"\sqrt".repeat(200),
                    r"\sqrt{".repeat(150) + "x" + &"}".repeat(150),
                    "x^".repeat(400) + "x",
                    r"\left(".repeat(160),
                    r"\frac".repeat(200),
                    r"\begin{matrix}".repeat(70),
                    r"\overline ".repeat(90),
                    r"\not".repeat(250),
                    r"\hat\hat".repeat(120),
                    r"\text{".repeat(160),
                    r"\sqrt[".repeat(160),
                    "x'".repeat(400),
                    "_".repeat(900),
                    "x".repeat(100_000),
                    r"\def\a{\a\a}\a".into(),
                    r"\newcommand{\a}{\a\a}\a".into(),
                ] {
                    let started = std::time::Instant::now();
                    let drawn = mathml(&bomb, true);
                    assert!(drawn.is_none_or(|math| depth(&math) <= DEEPEST));
                    assert!(started.elapsed().as_secs() < 20, "{bomb}");
                }
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
