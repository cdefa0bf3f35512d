use proptest::prelude::*;

use super::*;

fn shown(text: &str) -> String {
    render(text, &People::new())
}

/// The tags of HTML as it is serialised, each with its attributes.
fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let stop = |c: char| c.is_whitespace() || c == '>';
        let end = rest.find(stop).expect("a tag that ends");
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let (attribute, value) = rest.split_once("=\"").expect("an attribute");
            let (value, after) = value.split_once('"').expect("a value");
            attributes.push((attribute.to_owned(), value.to_owned()));
            rest = after;
        }
        tags.push((name, attributes));
    }
    tags
}

/// Fails unless nothing but what is harmless stands in HTML.
fn harmless(html: &str) {
    for (name, attributes) in tags(html) {
        let bare = name.trim_start_matches('/');
        let known = [
            "a",
            "blockquote",
            "br",
            "code",
            "del",
            "em",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "li",
            "ol",
            "p",
            "pre",
            "span",
            "strong",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
            "tr",
            "ul",
            "math",
        ];
        let others = [
            "maction",
            "main",
            "malignmark",
            "map",
            "mark",
            "marquee",
            "menu",
            "meta",
            "meter",
            "mglyph",
        ];
        let math = bare.len() > 1 && bare.starts_with('m') && !others.contains(&bare);
        assert!(known.contains(&bare) || math, "<{name}> in {html}");
        for (attribute, value) in attributes {
            assert!(!attribute.starts_with("on"), "{attribute} in {html}");
            assert!(
                !["style", "id", "src", "srcdoc", "xlink:href", "action"]
                    .contains(&attribute.as_str()),
                "{html}"
            );
            if attribute == "href" {
                assert_eq!(bare, "a", "{html}");
                let start = ["http:", "https:", "mailto:", "/people/"];
                let lower = value.to_ascii_lowercase();
                assert!(start.iter().any(|s| lower.starts_with(s)), "{value}");
            }
        }
    }
}

#[test]
fn markdown_becomes_html() {
    let text = "# Title\n\nSome *words*, `code` and **more**.\n\n- one\n- two\n\n> quoted\n\n\
         | a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nlet a = 1 < 2;\n```\n~~gone~~";
    let html = shown(text);
    for part in [
        "<h3>Title</h3>",
        "<em>words</em>",
        "<code>code</code>",
        "<strong>more</strong>",
        "<li>one</li>",
        "<blockquote>\n<p>quoted</p>",
        "<th scope=\"col\">a</th>",
        "<td>1</td>",
        "<pre><code>let a = 1 &lt; 2;",
        "<del>gone</del>",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    harmless(&html);
}

#[test]
fn headings_follow_each_other() {
    let html = shown("### a\n\n# b\n\n###### c\n\n## d\n\n### e");
    let names: Vec<String> = tags(&html).into_iter().map(|(name, _)| name).collect();
    let wanted = ["h3", "/h3", "h3", "/h3", "h4", "/h4", "h4", "/h4", "h5", "/h5"];
    assert_eq!(names, wanted);
}

#[test]
fn what_would_act_is_inert() {
    for text in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=alert(1)>b</b> <svg/onload=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](\u{1}javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "[x](//evil.example)",
        "[x](/account/delete)",
        "<javascript:alert(1)>",
        "![x](javascript:alert(1))",
        "![x](https://evil.example/pixel.png)",
        "[x]: javascript:alert(1)\n\n[x]",
        "[x](https://a.example \"onmouseover=alert(1)\")",
        "[x](https://a.example/\"onmouseover=\"alert(1))",
        "$\\href{javascript:alert(1)}{x}$",
        "$\\html{<script>alert(1)</script>}$",
        "$\\htmlData{onclick=alert(1)}{x}$ $\\class{x}{y}$ $\\style{color:red}{y}$ $\\cssId{q}{y}$",
        "$\\text{<script>alert(1)</script>}$",
        "$\\text{</mtext></math><img src=x onerror=alert(1)>}$",
        "$$\\text{<style><!--</style><img src onerror=alert(1)>-->}$$",
        "$\\unicode{x3c}script$ $\\char60 script$",
        "$$\\tag{<img src=x onerror=alert(1)>} x$$",
        "$x \\label{\"><script>alert(1)</script>}$ $\\ref{\"><script>alert(1)</script>}$",
        "$\\color{red\" onload=\"alert(1)}{x}$",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<form action=/account/delete><button>x",
        "# x {#id .class onclick=alert(1)}",
        "```\"><script>alert(1)</script>\nx\n```",
    ] {
        let html = shown(text);
        harmless(&html);
        assert!(!html.contains("<script") && !html.contains("<img"), "{text}: {html}");
    }
}

#[test]
fn links_lead_out_and_say_so() {
    let html =
        shown("[a](https://a.example/?x=1&y=2) and https://b.example/x_y_z, <mailto:c@d.example>");
    assert_eq!(html.matches("rel=\"nofollow ugc noopener\"").count(), 3, "{html}");
    assert!(html.contains("href=\"https://b.example/x_y_z\""), "{html}");
    assert!(html.contains("href=\"https://a.example/?x=1&amp;y=2\""), "{html}");
    assert!(shown("[a](ftp://x.example) b").contains("<p>a b</p>"));
    assert!(!shown("`https://c.example`").contains("<a"));
}

#[test]
fn people_are_linked_where_there_are_any() {
    let people = People::from([("ada".to_owned(), "/people/ada".to_owned())]);
    let html =
        render("@ada, @max and mail@ada.example, `@ada`; [@ada](https://x.example)", &people);
    assert_eq!(html.matches("/people/ada").count(), 1, "{html}");
    assert!(html.contains(">@ada</a>, @max"), "{html}");
    let text =
        "@ada @max-born @ab @Ada a@bcd @ada `@code` [@link](https://x.example) @trailing- x/@path";
    assert_eq!(names(text), ["ada", "max-born", "trailing"]);
}

#[test]
fn formulas_are_drawn_and_money_is_not() {
    let html = shown("Euler: $e^{i\\pi} = -1$, and\n\n$$\\int_0^1 x\\,dx$$\n\nIt costs $5 or $6.");
    assert_eq!(html.matches("<math").count(), 2, "{html}");
    assert!(
        html.contains("<span class=\"formula\" tabindex=\"0\"><math display=\"block\">"),
        "{html}"
    );
    assert!(html.contains("costs $5 or $6."), "{html}");
    assert!(shown("$\\nosuch{x}$").contains("<code>$\\nosuch{x}$</code>"));
    assert!(shown("$a<b$").contains("<math"));
}

#[test]
fn nothing_grows_without_end() {
    for bomb in [
        ">".repeat(10_000),
        "> ".repeat(5_000) + "x",
        "- ".repeat(5_000) + "x",
        "*a ".repeat(3_300),
        "**a _b ".repeat(1_400),
        "[".repeat(10_000),
        "[a](".repeat(2_500),
        "![".repeat(5_000),
        "`".repeat(10_000),
        "`a``b".repeat(2_000),
        "$x$".repeat(3_300),
        "$".repeat(10_000),
        "<".repeat(10_000),
        "<a ".repeat(3_300),
        "|a".repeat(5_000) + "\n" + &"|-".repeat(2_000),
        "|a|b|\n|-|-|\n".to_owned() + &"|1\n".repeat(3_000),
        "a\n\n".repeat(3_300),
        "&#x41;".repeat(1_600),
        "@ada ".repeat(2_000),
        "https://x.example/ ".repeat(500),
        "1. a\n".repeat(2_500),
        "\\".repeat(10_000),
        "[a]: b\n".repeat(1_400) + &"[a]".repeat(100),
        (1..150).map(|i| format!("{}- x\n", " ".repeat(i))).collect(),
    ] {
        let started = std::time::Instant::now();
        let html = shown(&bomb);
        // Work that grows with the square of a text would take minutes.
        let took = started.elapsed().as_secs();
        let start: String = bomb.chars().take(12).collect();
        assert!(took < 20, "{start}: {took} s");
        assert!(html.len() < 2 << 20, "{start}: {} bytes", html.len());
        harmless(&html);
        let (mut depth, mut most) = (0_i64, 0);
        for (name, _) in tags(&html) {
            if !["br", "hr"].contains(&name.as_str()) {
                depth += if name.starts_with('/') { -1 } else { 1 };
                most = most.max(depth);
            }
        }
        assert!(depth == 0 && most <= 130, "{start}: {depth}, {most}");
    }
}

#[test]
fn a_beginning_is_a_line() {
    assert_eq!(beginning("# A *b*\n\nd <script>c</script> $x$", 80), "A b d <script>c</script> x");
    assert_eq!(beginning(&"wort ".repeat(100), 20), "wort wort wort wort…");
    assert_eq!(beginning("See [*the* code](https://x.example), [", 80), "See the code, [");
    assert_eq!(beginning("- a\n- b\n\n> c", 80), "a b c");
    assert_eq!(beginning("", 20), "");
}

#[test]
fn the_same_text_is_rendered_once_and_another_name_is_another_text() {
    let proses = Proses::default();
    let named = |now: &str| proses.html("@ada", &[("ada".into(), now.into())], "");
    assert!(Arc::ptr_eq(&named("ada"), &named("ada")));
    assert!(named("ada-king").contains("href=\"/people/ada-king\""));
    assert!(proses.html("@ada", &[], "").contains("<p>@ada</p>"));
    let away = proses.html("@ada", &[("ada".into(), "ada".into())], "https://x.example");
    assert!(away.contains("href=\"https://x.example/people/ada\""), "{away}");
}

/// Pieces of which texts are made that mean something to one of the readers.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<script>",
        "</script>",
        "<style>",
        "<!--",
        "-->",
        "<math>",
        "</math>",
        "<mtext>",
        "<svg>",
        "<img src=x ",
        "onerror=alert(1)>",
        "javascript:",
        "[x](",
        ")",
        "](",
        "![",
        "\"",
        "'",
        "`",
        "```\n",
        "$",
        "$$",
        "\\text{",
        "\\href{",
        "}",
        "{",
        "\\frac",
        "^",
        "_",
        "&lt;",
        "&#60;",
        "\n",
        "\n\n",
        "> ",
        "- ",
        "# ",
        "|",
        "|-|\n",
        "@ada",
        "https://a.example/",
        "<a href=",
        ">",
        "<",
        "\\",
        "<annotation-xml encoding=text/html>",
        "<mglyph>",
        "<table>",
        "*",
        "**",
        "~~",
        "]]>",
        "<![CDATA[",
        "\u{0}",
        "\u{202e}",
        "é",
        "x",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_text_is_harmless(text in prop_oneof![pieces(), any::<String>()]) {
        let people = People::from([("ada".to_owned(), "/people/ada".to_owned())]);
        let html = render(&text, &people);
        harmless(&html);
        // What is harmless once stays so when it is read and written anew.
        prop_assert_eq!(allowed::only(&html), html);
    }

    #[test]
    fn any_formula_is_harmless(text in pieces(), block in any::<bool>()) {
        let mark = if block { "$$" } else { "$" };
        harmless(&shown(&format!("{mark}{text}{mark}")));
    }
}
