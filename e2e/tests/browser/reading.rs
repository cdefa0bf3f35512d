//! A paper is read, run, watched, cancelled.

use std::time::Duration;

use thirtyfour::prelude::*;

use crate::driver::{Driver, browser, look, wait_for};
use crate::server::{PATIENCE, Server};

/// How many points the page's curves have.
async fn points(browser: &WebDriver) -> WebDriverResult<u64> {
    let script = "return [...document.querySelectorAll('[data-role=curves] svg [d]')]\
                  .reduce((n, e) => n + (e.getAttribute('d').match(/[ML]/g) || []).length, 0)";
    browser.execute(script, vec![]).await?.convert()
}

#[tokio::test]
async fn a_reader_opens_a_paper_runs_it_and_sees_the_verdicts() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = journey(&browser, &server).await;
    browser.quit().await?;
    result
}

async fn journey(browser: &WebDriver, server: &Server) -> WebDriverResult<()> {
    let at = |path: &str| format!("http://{}{path}", server.address);
    browser.goto(at("/")).await?;
    // The paper may stand on any page of the list: follow the pages as a reader would.
    let paper = loop {
        let links = browser.find_all(By::PartialLinkText("EvoMoE")).await?;
        if let Some(link) = links.into_iter().next() {
            break link;
        }
        browser.find(By::Css("a[rel=next]")).await?.click().await?;
    };
    paper.click().await?;
    wait_for(browser, "article.paper").await?;

    browser.find(By::Css("button[value=quick]")).await?.click().await?;
    wait_for(browser, "#run").await?;
    let run = browser.current_url().await?.to_string();
    // The curve grows while we look, without a reload.
    let mut seen = Vec::new();
    browser.execute("window.sameDocument = true", vec![]).await?;
    for _ in 0..2400 {
        let n = points(browser).await?;
        if n > seen.last().copied().unwrap_or(0) {
            seen.push(n);
        }
        if seen.len() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(seen.len() >= 3, "the curves did not grow: {seen:?}");
    let same: bool =
        browser.execute("return window.sameDocument === true", vec![]).await?.convert()?;
    assert!(same, "the page was reloaded");

    wait_for(browser, "#verdicts").await?;
    assert_eq!(browser.current_url().await?.to_string(), run);
    let text = browser.find(By::Css("#verdicts")).await?.text().await?;
    for claim in ["C1", "C2", "C3", "C4"] {
        assert!(text.contains(claim), "{text}");
    }

    cancel_another(browser, &at("/papers/2112.14397")).await?;
    look(browser, &[("front", at("/")), ("paper", at("/papers/2301.10909")), ("run", run)]).await
}

async fn progress(browser: &WebDriver) -> WebDriverResult<f64> {
    let script = "return Number(document.querySelector('[data-role=progress]').value)";
    browser.execute(script, vec![]).await?.convert()
}

/// Starts a full run and cancels it half-way.
async fn cancel_another(browser: &WebDriver, paper: &str) -> WebDriverResult<()> {
    browser.goto(paper).await?;
    browser.find(By::Css("button[value=full]")).await?.click().await?;
    // A full run tunes first, without curves: its bar shows that it is under way.
    wait_for(browser, "[data-role=progress]").await?;
    let started = tokio::time::Instant::now();
    while progress(browser).await? == 0.0 {
        assert!(started.elapsed() < PATIENCE, "the run makes no progress");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wait_for(browser, "form[action$='/cancel'] button").await?.click().await?;
    wait_for(browser, "form[action$='/restart'] button").await?;
    let text = browser.find(By::Css("#run")).await?.text().await?;
    assert!(text.to_lowercase().contains("cancelled"), "{text}");
    Ok(())
}
