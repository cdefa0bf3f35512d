//! The digest from the front page to its end, as a subscriber meets it.

use std::path::Path;

use serde_json::json;
use thirtyfour::components::SelectElement;
use thirtyfour::prelude::*;

use crate::driver::{
    Driver, browser, link_in, look, mailed, path, text_of, wait_for, wait_for_path,
};
use crate::server::Server;

const ZONE: &str = "Asia/Tokyo";

#[tokio::test]
async fn a_reader_subscribes_changes_pauses_and_leaves() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = subscription(&browser, &server, data.path()).await;
    browser.quit().await?;
    result
}

async fn subscription(browser: &WebDriver, server: &Server, data: &Path) -> WebDriverResult<()> {
    let at = |path: &str| format!("http://{}{path}", server.address);
    let zone = json!({ "timezoneId": ZONE });
    browser.cdp().send_raw("Emulation.setTimezoneOverride", zone).await?;
    browser.goto(at("/")).await?;
    let address = wait_for(browser, "form.subscribe input[type=email]").await?;
    assert_eq!(text_of(browser, "[data-zone-name]").await?, ZONE, "the browser's own");
    address.send_keys("Ada@Example.org" + Key::Enter).await?;
    wait_for_path(browser, "/subscribe/sent").await?;

    // The mail's link opens a page, and its button confirms.
    let confirm = link_in(data, "digest-confirm", "/digest/confirm?token=");
    look(browser, &[("digest-confirm", confirm.clone())]).await?;
    browser.goto(&confirm).await?;
    wait_for(browser, "form.stack button").await?.click().await?;
    done(browser, "You are subscribed.").await?;
    let manage = path(browser).await?.replace("&done=confirmed", "");
    assert!(
        text_of(browser, "section[aria-labelledby=next]").await?.contains("07:00 (Asia/Tokyo)")
    );

    let hour = SelectElement::new(&wait_for(browser, "#hour").await?).await?;
    hour.select_by_value("18").await?;
    let topic = wait_for(browser, "#topic").await?;
    topic.send_keys("\"mixture of experts\"" + Key::Enter).await?;
    done(browser, "Saved.").await?;
    assert!(
        text_of(browser, "section[aria-labelledby=next]").await?.contains("18:00 (Asia/Tokyo)")
    );
    let topic = wait_for(browser, "#topic").await?.prop("value").await?;
    assert_eq!(topic.as_deref(), Some("\"mixture of experts\""));

    let in_ten_days = "const day = new Date(Date.now() + 864e6).toISOString().slice(0, 10); \
                       document.querySelector('#until').value = day; \
                       document.querySelector('#until').form.requestSubmit()";
    browser.execute(in_ten_days, vec![]).await?;
    done(browser, "Paused.").await?;
    wait_for(browser, "form:has([name=go-on]) button").await?.click().await?;
    done(browser, "Papers come again.").await?;

    wait_for(browser, "form[action='/digest/test'] button").await?.click().await?;
    done(browser, "A test is on its way to you.").await?;
    assert!(mailed(data, "digest-test").contains("To: ada@example.org"));

    let form = wait_for(browser, "form[action^='/digest/unsubscribe']").await?;
    let leave = form.attr("action").await?.unwrap_or_default();
    let pages = [
        ("front", at("/")),
        ("subscribe", at("/subscribe?q=experts")),
        ("digest-manage", at(&manage)),
        ("digest-unsubscribe", at(&leave)),
    ];
    look(browser, &pages).await?;

    browser.goto(at(&manage)).await?;
    wait_for(browser, "form[action^='/digest/unsubscribe'] button").await?.click().await?;
    wait_for_path(browser, &leave).await?;
    assert_eq!(text_of(browser, "h1").await?, "You are unsubscribed");
    browser.goto(at(&manage)).await?;
    assert_eq!(text_of(browser, "h1").await?, "Gone");
    Ok(())
}

/// Waits for the page to say that something was done.
async fn done(browser: &WebDriver, text: &str) -> WebDriverResult<()> {
    let said = browser.query(By::XPath(format!("//p[@role='status'][text()='{text}']")));
    said.wait(crate::server::PATIENCE, std::time::Duration::from_millis(50)).first().await?;
    Ok(())
}
