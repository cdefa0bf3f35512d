//! A discussion, by keyboard alone.

use std::path::Path;

use serde_json::json;
use thirtyfour::prelude::*;

use crate::driver::{Driver, browser, look, path, sign_in_at_a_paper, wait_for};
use crate::server::Server;

#[tokio::test]
async fn a_reader_comments_by_keyboard_and_nothing_acts() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = discussion(&browser, &server, data.path()).await;
    browser.quit().await?;
    result
}

/// Goes on with the tabulator key until an element has the focus.
async fn tab_to(browser: &WebDriver, selector: &str) -> WebDriverResult<WebElement> {
    let script = "return document.activeElement.matches(arguments[0])";
    for _ in 0..400 {
        browser.action_chain().send_keys(Key::Tab).perform().await?;
        if browser.execute(script, vec![json!(selector)]).await?.convert()? {
            return browser.active_element().await;
        }
    }
    panic!("`{selector}` cannot be reached by keyboard");
}

async fn discussion(browser: &WebDriver, server: &Server, data: &Path) -> WebDriverResult<()> {
    let at = |path: &str| format!("http://{}{path}", server.address);
    let paper = sign_in_at_a_paper(browser, server, data).await?;
    let text = "A formula: $\\frac{1}{2}$ <script>window.acted = true</script> \
                [x](javascript:window.acted=true) <img src=x onerror=window.acted=true>";
    tab_to(browser, "#discussion textarea").await?.send_keys(text).await?;
    tab_to(browser, "#discussion button[value=post]").await?.send_keys(Key::Enter + "").await?;
    let comment = wait_for(browser, "#comment-1").await?;
    assert!(browser.current_url().await?.as_str().ends_with("#comment-1"));
    let shown = comment.text().await?;
    assert!(shown.contains("<script>window.acted = true</script>"), "{shown}");
    for none in ["#comment-1 script", "#comment-1 img", "#comment-1 a[href^=javascript]"] {
        assert!(browser.find_all(By::Css(none)).await?.is_empty(), "{none}");
    }
    let drawn =
        "return document.querySelector('#comment-1 math mfrac').getBoundingClientRect().height";
    let height: f64 = browser.execute(drawn, vec![]).await?.convert()?;
    assert!(height > 15.0, "a fraction has two storeys: {height}");
    let acted: bool = browser.execute("return window.acted === true", vec![]).await?.convert()?;
    assert!(!acted);

    tab_to(browser, "#comment-1 a[href$='/edit']").await?.send_keys(Key::Enter + "").await?;
    let field = wait_for(browser, "textarea#text").await?;
    assert!(path(browser).await?.ends_with("/comments/1/edit"));
    field.send_keys(Key::Control + "a").await?;
    field.send_keys("Only words, and $$\\sum_{i=1}^n x_i$$").await?;
    tab_to(browser, "button[value=preview]").await?.send_keys(Key::Enter + "").await?;
    wait_for(browser, ".preview math").await?;
    tab_to(browser, "button[value=save]").await?.send_keys(Key::Enter + "").await?;
    let comment = wait_for(browser, "article.paper #comment-1").await?;
    assert!(comment.text().await?.contains("Only words"));
    let pages = [
        ("discussion", at(&format!("{paper}#discussion"))),
        ("history", at(&format!("{paper}/comments/1/history"))),
        ("answer", at(&format!("{paper}/comments/1/reply"))),
        ("claim", at(&format!("{paper}/claim"))),
    ];
    look(browser, &pages).await?;

    browser.goto(at(&format!("{paper}/comments/1/edit"))).await?;
    wait_for(browser, "form[action$='/delete']").await?;
    tab_to(browser, "form[action$='/delete'] button").await?.send_keys(Key::Enter + "").await?;
    wait_for(browser, "#discussion .empty").await?;
    Ok(())
}
