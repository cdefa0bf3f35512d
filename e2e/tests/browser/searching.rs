//! The search box and its page.

use std::time::Duration;

use serde_json::json;
use thirtyfour::prelude::*;

use crate::driver::{Driver, browser, look, path, wait_for, wait_for_path};
use crate::server::{self, Server};

/// Types into the search box letter by letter, as a person would.
async fn type_into_box(browser: &WebDriver, text: &str) -> WebDriverResult<WebElement> {
    let field = browser.find(By::Css("form[role=search] input")).await?;
    field.clear().await?;
    for letter in text.chars() {
        field.send_keys(letter.to_string()).await?;
    }
    Ok(field)
}

/// Titles of the results in their order.
async fn titles(browser: &WebDriver) -> WebDriverResult<Vec<String>> {
    let script = "return [...document.querySelectorAll('.card h2')].map(e => e.textContent)";
    browser.execute(script, vec![]).await?.convert()
}

#[tokio::test]
async fn a_reader_searches_narrows_down_and_comes_back() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    // The index follows the catalogue a moment after the start.
    let found =
        || server.get("/api/papers/search?q=has:run").body.contains("\"paper\"").then_some(());
    server::wait_for("the search index", found);
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = searching(&browser, &server).await;
    browser.quit().await?;
    result
}

async fn searching(browser: &WebDriver, server: &Server) -> WebDriverResult<()> {
    let at = |path: &str| format!("http://{}{path}", server.address);
    browser.goto(at("/")).await?;
    let on_box = "return document.activeElement.name === 'q'";
    browser.find(By::Css("body")).await?.send_keys("/").await?;
    let focused: bool = browser.execute(on_box, vec![]).await?.convert()?;
    assert!(focused, "`/` leads to the box");

    // A suggestion by the keyboard alone.
    let field = type_into_box(browser, "evomo").await?;
    wait_for(browser, "#suggestions [role=option]").await?;
    assert_eq!(field.attr("aria-expanded").await?.as_deref(), Some("true"));
    field.send_keys(Key::Down + "").await?;
    let active = field.attr("aria-activedescendant").await?.expect("an active suggestion");
    let option = browser.find(By::Id(active)).await?;
    assert!(option.text().await?.contains("EvoMoE"));
    field.send_keys(Key::Enter + "").await?;
    wait_for(browser, "article.paper").await?;
    assert_eq!(path(browser).await?, "/papers/2112.14397");

    // Escape closes the list and keeps what was typed; a field suggests nothing.
    let field = type_into_box(browser, "sparse").await?;
    wait_for(browser, "#suggestions [role=option]").await?;
    field.send_keys(Key::Escape + "").await?;
    assert_eq!(field.attr("aria-expanded").await?.as_deref(), Some("false"));
    assert_eq!(field.prop("value").await?.as_deref(), Some("sparse"));
    let field = type_into_box(browser, "author:hin").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(field.attr("aria-expanded").await?.as_deref(), Some("false"));

    let field = type_into_box(browser, "mixture of experts").await?;
    field.send_keys(Key::Enter + "").await?;
    wait_for(browser, ".facets").await?;
    assert_eq!(path(browser).await?, "/search?q=mixture+of+experts");
    let all = titles(browser).await?;
    let year = browser.find(By::Css(".facets a[href*='year%3A']")).await?;
    let value = year.find(By::Css(".value")).await?.text().await?;
    year.click().await?;
    let narrowed = format!("/search?q=mixture%20of%20experts%20year%3A{value}");
    wait_for_path(browser, &narrowed).await?;
    let some = titles(browser).await?;
    assert!(!some.is_empty() && some.len() < all.len(), "{some:?} of {all:?}");
    browser.find(By::Css("a.chip")).await?.click().await?;
    wait_for_path(browser, "/search?q=mixture%20of%20experts").await?;
    assert_eq!(titles(browser).await?, all);

    // A result far down, and back: the same results at the same place.
    let links = browser.find_all(By::Css(".card h2 a")).await?;
    let last = links.last().expect("results");
    let height = json!({"width": 1280, "height": 500, "deviceScaleFactor": 1, "mobile": false});
    browser.cdp().send_raw("Emulation.setDeviceMetricsOverride", height).await?;
    last.scroll_into_view().await?;
    let place = "return Math.round(scrollY)";
    let before: i64 = browser.execute(place, vec![]).await?.convert()?;
    assert!(before > 0, "the page is longer than the window");
    last.click().await?;
    wait_for(browser, "article.paper").await?;
    browser.back().await?;
    wait_for_path(browser, "/search?q=mixture%20of%20experts").await?;
    assert_eq!(titles(browser).await?, all);
    let started = tokio::time::Instant::now();
    loop {
        let after: i64 = browser.execute(place, vec![]).await?.convert()?;
        if (after - before).abs() <= 2 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "was at {before}, is at {after}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pages = [
        ("search", at("/search?q=mixture+of+experts")),
        ("search-help", at("/search")),
        ("search-error", at("/search?q=experts+autor:hinton")),
    ];
    look(browser, &pages).await
}
