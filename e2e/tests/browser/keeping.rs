//! A library and what belongs in it.

use std::path::Path;

use thirtyfour::prelude::*;

use crate::driver::{Driver, browser, look, sign_in, text_of, wait_for, wait_for_text};
use crate::server::{self, Server};

#[tokio::test]
async fn a_reader_keeps_papers_and_gets_more_like_them() -> WebDriverResult<()> {
    let Some(driver) = Driver::start() else { return Ok(()) };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path());
    let found =
        || server.get("/api/papers/search?q=has:run").body.contains("\"paper\"").then_some(());
    server::wait_for("the search index", found);
    let browser = browser(&driver, &data.path().join("profile")).await?;
    let result = journey(&browser, &server, data.path()).await;
    browser.quit().await?;
    result
}

async fn journey(browser: &WebDriver, server: &Server, data: &Path) -> WebDriverResult<()> {
    let at = |path: &str| format!("http://{}{path}", server.address);
    sign_in(browser, server, data).await?;
    browser.goto(at("/papers/2112.14397")).await?;

    // By the keyboard: a state, two tags, a note.
    wait_for(browser, "#library button[value=later]").await?.send_keys(Key::Enter + "").await?;
    wait_for_text(browser, "#library button[aria-pressed=true]", "Later").await?;
    let tags = wait_for(browser, "#library input[name=tags]").await?;
    tags.send_keys("Mixture of Experts, to read" + Key::Enter).await?;
    let chips = text_of(browser, "#library .chips").await?;
    assert!(chips.contains("mixture-of-experts") && chips.contains("to-read"), "{chips}");
    wait_for(browser, "#library summary").await?.send_keys(Key::Enter + "").await?;
    wait_for(browser, "#library textarea").await?.send_keys("Ask Grace about the *gate*").await?;
    browser.find(By::Css("#library form.stack button")).await?.click().await?;
    assert_eq!(text_of(browser, "#library pre.note").await?, "Ask Grace about the *gate*");
    // Read, by the pointer. The page comes anew: only on it the former button is not pressed.
    wait_for(browser, "#library button[value=done]").await?.click().await?;
    wait_for(browser, "#library button[value=later]").await?;
    wait_for_text(browser, "#library button[aria-pressed=true]", "Read").await?;

    // The library, and a word of the note within it.
    browser.find(By::Css("header nav a[href='/library']")).await?.click().await?;
    assert!(text_of(browser, ".card h2").await?.contains("EvoMoE"));
    let field =
        wait_for(browser, "form[role=search][action='/library'] input[type=search]").await?;
    field.send_keys("grace" + Key::Enter).await?;
    wait_for_text(browser, ".own li", "Found in your note.").await?;
    wait_for_text(browser, ".own li", "EvoMoE").await?;

    // Something like it that is not there yet; what is not wanted is gone at once.
    browser.goto(at("/recommended")).await?;
    let first = text_of(browser, ".card h2").await?;
    assert!(!first.contains("EvoMoE") && text_of(browser, ".why").await?.contains("Why: "));
    wait_for(browser, "button[value=not-for-me]").await?.click().await?;
    wait_for_text(browser, ".model", "1 paper not for you").await?;
    assert_ne!(text_of(browser, ".card h2").await?, first);
    assert!(!text_of(browser, ".own").await?.contains(&first));

    // Exported with the session of the browser, and to nobody else.
    let script = "const done = arguments[0]; fetch('/library.bib?tag=to-read').then(r => r.text()).then(done)";
    let bib: String = browser.execute_async(script, vec![]).await?.convert()?;
    assert!(bib.contains("EvoMoE") && bib.matches("\n@").count() <= 1, "{bib}");
    assert_eq!(server.get("/library.bib").status, 401);

    let pages = [
        ("library", at("/library")),
        ("library-tag", at("/library?tag=to-read")),
        ("library-paper", at("/papers/2112.14397")),
        ("recommended", at("/recommended")),
    ];
    look(browser, &pages).await
}
