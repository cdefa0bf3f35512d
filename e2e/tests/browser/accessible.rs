//! Every page by the rules of axe-core, light and dark.

use std::path::Path;

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::driver::{Driver, browser, link_in, path, sign_in, wait_for};
use crate::server::{self, Server, program};

#[tokio::test]
async fn axe_finds_nothing_on_any_page() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let Some(axe) = pressrun_e2e::axe() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let found =
        || server.get("/api/papers/search?q=has:run").body.contains("\"paper\"").then_some(());
    server::wait_for("the search index", found);
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = all(&browser, &server, data.path(), &axe).await;
    browser.quit().await?;
    let findings = result?;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}

/// Pages that everybody sees.
const PUBLIC: [&str; 18] = [
    "/",
    "/papers/all?sort=votes",
    "/papers/trending",
    "/papers/year/2025",
    "/papers/month/2000-01",
    "/papers/evomoe",
    "/search?q=experts",
    "/search?q=%22",
    "/studies",
    "/comparisons/gates",
    "/methodology",
    "/subscribe?q=experts",
    "/subscribe/sent",
    "/digest/manage?token=none",
    "/runs",
    "/sign-in",
    "/submit",
    "/api",
];

/// Those of people, a curator being one who sees all of them.
const OWN: [&str; 14] = [
    "/account",
    "/library",
    "/recommended",
    "/submit",
    "/submissions",
    "/curate",
    "/moderation",
    "/digest/admin",
    "/papers/evomoe",
    "/papers/2112.14397/claim",
    "/papers/2112.14397/comments/1/reply",
    "/papers/2112.14397/comments/1/history",
    "/papers/2112.14397/comments/1/edit",
    "/no-such-page",
];

async fn all(
    browser: &WebDriver,
    server: &Server,
    data: &Path,
    axe: &str,
) -> WebDriverResult<Vec<String>> {
    let mut findings = Vec::new();
    for path in PUBLIC {
        check(browser, server, path, axe, &mut findings).await?;
    }
    sign_in(browser, server, data).await?;
    let added = std::process::Command::new(program())
        .args(["user", "add", "ada@example.org", "--admin", "--data"])
        .arg(data)
        .output()
        .expect("the program starts");
    assert!(added.status.success(), "{added:?}");
    // Something to be seen on each of the pages.
    let post = "const done = arguments[2]; fetch(arguments[0], { method: 'POST', body: \
                new URLSearchParams(arguments[1]) }).then(answer => done(answer.status))";
    for (path, form) in [
        (
            "/papers/2112.14397/comments",
            "text=A+formula+%24%24%5Cfrac%7B1%7D%7B2%7D%24%24+and+%60code%60",
        ),
        ("/papers/2112.14397/comments", "text=Answer+by+%40ada&parent=1"),
        ("/papers/2112.14397/library", "state=later&tags=gates%2C+to-read&note=Ask"),
        ("/papers/2112.14397/vote", "vote=1"),
        ("/papers/2112.14397/claim", "author=Xiaonan+Nie&proof=My+page"),
        ("/submissions", "title=Doors&authors=Ada"),
    ] {
        let arguments = vec![json!(path), json!(form)];
        let status: u16 = browser.execute_async(post, arguments).await?.convert()?;
        assert_eq!(status, 200, "{path} leads on to a page");
    }
    for path in OWN {
        check(browser, server, path, axe, &mut findings).await?;
    }
    // Those of a subscription, each by the link that leads there.
    let site = format!("http://{}", server.address);
    let form = vec![json!("/subscribe"), json!("email=ada%40example.org")];
    let status: u16 = browser.execute_async(post, form).await?.convert()?;
    assert_eq!(status, 200);
    let link = link_in(data, "digest-confirm", "/digest/confirm?token=");
    let confirm = link.strip_prefix(&site).expect("a link of this site");
    check(browser, server, confirm, axe, &mut findings).await?;
    wait_for(browser, "form.stack button").await?.click().await?;
    wait_for(browser, "#pause").await?;
    let manage = path(browser).await?;
    check(browser, server, &manage, axe, &mut findings).await?;
    let leave = wait_for(browser, "form[action^='/digest/unsubscribe']").await?;
    let leave = leave.attr("action").await?.expect("where it leads");
    check(browser, server, &leave, axe, &mut findings).await?;
    check(browser, server, "/account", axe, &mut findings).await?;
    Ok(findings)
}

/// Adds what axe finds on a page.
async fn check(
    browser: &WebDriver,
    server: &Server,
    path: &str,
    axe: &str,
    findings: &mut Vec<String>,
) -> WebDriverResult<()> {
    for scheme in ["light", "dark"] {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.cdp().send_raw("Emulation.setEmulatedMedia", media).await?;
        browser.goto(format!("http://{}{path}", server.address)).await?;
        wait_for(browser, "main").await?;
        browser.execute(axe, vec![]).await?;
        let run = "const done = arguments[0]; axe.run(document).then(found => done(found.violations), \
                   error => done([{ id: String(error), nodes: [] }]))";
        let violations: Vec<Value> = browser.execute_async(run, vec![]).await?.convert()?;
        for violation in violations {
            let nodes = violation["nodes"].as_array().into_iter().flatten();
            for node in nodes {
                findings.push(format!(
                    "{path} ({scheme}): {}: {} {}",
                    violation["id"].as_str().unwrap_or_default(),
                    node["html"].as_str().unwrap_or_default().chars().take(200).collect::<String>(),
                    node["failureSummary"].as_str().unwrap_or_default().replace('\n', " "),
                ));
            }
        }
    }
    Ok(())
}
