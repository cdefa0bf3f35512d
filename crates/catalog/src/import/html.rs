//! Text out of the HTML in which feeds wrap their summaries.

use quick_xml::escape::resolve_html5_entity;

/// Elements after which a new paragraph begins.
const BLOCKS: [&str; 14] = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "tr",
    "table",
    "pre",
];

/// Elements whose content is no text for readers.
const HIDDEN: [&str; 2] = ["script", "style"];

/// The text of a piece of HTML: without tags, comments, scripts and styles, entities resolved,
/// blocks parted by empty lines. A `<` that begins no tag is itself.
///
/// # Example
/// ```
/// use pressrun_catalog::import::plain_text;
///
/// assert_eq!(plain_text("<p>We <b>open</b> gates &amp; doors.</p>"), "We open gates & doors.");
/// ```
pub fn text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('&') { entity(rest, &mut text) } else { tag(rest, &mut text) };
    }
    text.push_str(rest);
    let paragraphs = text.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|p| !p.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Goes past an entity at the beginning of `rest`, or past its `&`.
fn entity<'h>(rest: &'h str, text: &mut String) -> &'h str {
    // The longest name of HTML has 31 letters.
    let end = rest.bytes().take(40).position(|byte| byte == b';');
    let resolved = end.and_then(|end| {
        let name = &rest[1..end];
        let number = name.strip_prefix('#').map(|n| match n.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => n.parse(),
        });
        match number {
            Some(number) => Some((char::from_u32(number.ok()?)?.to_string(), end)),
            None => Some((resolve_html5_entity(name)?.to_owned(), end)),
        }
    });
    match resolved {
        Some((resolved, end)) => {
            text.push_str(&resolved);
            &rest[end + 1..]
        }
        None => {
            text.push('&');
            &rest[1..]
        }
    }
}

/// Goes past a tag or comment at the beginning of `rest`, or past its `<`.
fn tag<'h>(rest: &'h str, text: &mut String) -> &'h str {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let name = rest[1..].trim_start_matches('/');
    let after = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || ":-_".contains(c));
    // `$a<b$ and $c>d$` has none.
    let begins = name.starts_with(['!', '?'])
        || name.starts_with(|c: char| c.is_ascii_alphabetic())
            && after.starts_with(|c: char| c.is_ascii_whitespace() || "/>".contains(c));
    let Some(end) = rest.find('>').filter(|_| begins) else {
        text.push('<');
        return &rest[1..];
    };
    let length = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name[..length].to_ascii_lowercase();
    let after = &rest[end + 1..];
    if HIDDEN.contains(&name.as_str()) && !rest.starts_with("</") {
        let close = format!("</{name}");
        // Lengths are those of the original: ASCII letters alone are folded.
        return after.to_ascii_lowercase().find(&close).map_or("", |at| &after[at..]);
    }
    if BLOCKS.contains(&name.as_str()) {
        text.push_str("\n\n");
    }
    after
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_go_and_text_stays() {
        for (html, expected) in [
            (
                "<p>We <b>open</b> gates.</p><p>They stay&nbsp;open.</p>",
                "We open gates.\n\nThey stay open.",
            ),
            ("a &lt; b, 1 < 2 && c", "a < b, 1 < 2 && c"),
            ("$a<b$ and $c>d$, <jats:p>x</jats:p>", "$a<b$ and $c>d$, x"),
            ("x<script>alert('<p>1</p>')</script>y<STYLE>p{}</style>z", "xyz"),
            ("caf&eacute; &#233; &#xe9; &#0; &bogus; &", "caf\u{e9} \u{e9} \u{e9} \u{0} &bogus; &"),
            ("a<!-- <b> -->b<br/>c<!-- open", "ab\n\nc"),
            ("<img src=x onerror=alert(1)>text", "text"),
            ("<script>never closed", ""),
        ] {
            assert_eq!(text(html), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(html in "(<|>|&|;|#|x|/|p|script|\u{e9}| |!|-|\"){0,60}") {
            text(&html);
        }
    }
}
