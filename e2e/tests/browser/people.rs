//! An account from its beginning to its end.

use std::path::Path;

use thirtyfour::prelude::*;

use crate::driver::{Driver, browser, look, sign_in_at_a_paper, wait_for, wait_for_path};
use crate::server::Server;

#[tokio::test]
async fn a_reader_signs_in_votes_and_leaves() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = membership(&browser, &server, data.path()).await;
    browser.quit().await?;
    result
}

async fn membership(browser: &WebDriver, server: &Server, data: &Path) -> WebDriverResult<()> {
    let at = |path: &str| format!("http://{}{path}", server.address);
    sign_in_at_a_paper(browser, server, data).await?;

    // In place, by the keyboard, and it is still there after a reload.
    let pressed = async |wanted: &str| {
        wait_for(browser, &format!("form.vote button[aria-pressed={wanted}]")).await
    };
    pressed("false").await?.send_keys(Key::Enter + "").await?;
    assert_eq!(pressed("true").await?.text().await?, "1 vote");
    browser.refresh().await?;
    assert_eq!(pressed("true").await?.text().await?, "1 vote");
    pressed("true").await?.click().await?;
    assert_eq!(pressed("false").await?.text().await?, "0 votes");

    browser.goto(at("/account")).await?;
    let handle = wait_for(browser, "#handle").await?.attr("value").await?.unwrap_or_default();
    assert!(!handle.contains("ada"), "{handle}");
    look(browser, &[("account", at("/account")), ("sign-in", at("/sign-in"))]).await?;

    browser.goto(at("/account")).await?;
    wait_for(browser, "#confirm").await?.send_keys(handle + Key::Enter).await?;
    wait_for_path(browser, "/").await?;
    wait_for(browser, ".who a[href='/sign-in']").await?;
    Ok(())
}
