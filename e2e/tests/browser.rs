//! Read, run, watch, cancel, search, look.

#[path = "../../crates/pressrun/tests/it/server.rs"]
mod server;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use thirtyfour::common::capabilities::chrome::ChromeCapabilities;
use thirtyfour::prelude::*;

use server::{PATIENCE, Server};

const DRIVER: &str = "/usr/bin/chromedriver";

/// ChromeDriver on a free port; killed when dropped.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    fn start() -> Option<Self> {
        if !Path::new(DRIVER).exists() {
            let text = format!("`{DRIVER}` is missing: install chromium and chromium-driver");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
            eprintln!("SKIPPED: {text}");
            return None;
        }
        let mut child = Command::new(DRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|l| Some(l.split_once("started successfully on port ")?.1.to_owned()))
            .expect("the driver's port");
        let port = port.trim_end_matches('.').to_owned();
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn browser(driver: &Driver, profile: &Path) -> WebDriverResult<WebDriver> {
    let mut capabilities: ChromeCapabilities = DesiredCapabilities::chrome();
    for argument in [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--window-size=1280,2400",
        // Smooth scrolling moves an element away from under a click.
        "--force-prefers-reduced-motion",
        &format!("--user-data-dir={}", profile.display()),
    ] {
        capabilities.add_arg(argument)?;
    }
    WebDriver::new(driver.url.clone(), capabilities).await
}

/// Waits until the page has an element.
async fn wait_for(browser: &WebDriver, selector: &str) -> WebDriverResult<WebElement> {
    let query = browser.query(By::Css(selector));
    query.wait(PATIENCE, Duration::from_millis(50)).first().await
}

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

/// Types into the search box letter by letter, as a person would.
async fn type_into_box(browser: &WebDriver, text: &str) -> WebDriverResult<WebElement> {
    let field = browser.find(By::Css("form[role=search] input")).await?;
    field.clear().await?;
    for letter in text.chars() {
        field.send_keys(letter.to_string()).await?;
    }
    Ok(field)
}

/// The path and query of the address.
async fn path(browser: &WebDriver) -> WebDriverResult<String> {
    browser.execute("return location.pathname + location.search", vec![]).await?.convert()
}

async fn wait_for_path(browser: &WebDriver, path: &str) -> WebDriverResult<()> {
    let started = tokio::time::Instant::now();
    while self::path(browser).await? != path {
        assert!(started.elapsed() < PATIENCE, "{path} is not reached");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
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

/// The address in the only mail that was written.
fn mailed_link(data: &Path) -> String {
    let folder = data.join("mail");
    let mail = || {
        let files = std::fs::read_dir(&folder).ok()?.filter_map(Result::ok);
        let mut mails = files.filter(|file| file.path().extension().is_some_and(|e| e == "eml"));
        std::fs::read_to_string(mails.next()?.path()).ok()
    };
    let text = server::wait_for("the mail", mail);
    let line = text.lines().find(|line| line.contains("/sign-in/link?token="));
    line.expect("a link").trim().to_owned()
}

/// Signs in from a paper's page, by the link in the mailed file. Returns the paper's path.
async fn sign_in_at_a_paper(
    browser: &WebDriver,
    server: &Server,
    data: &Path,
) -> WebDriverResult<String> {
    browser.goto(format!("http://{}/papers/evomoe", server.address)).await?;
    wait_for(browser, "article.paper").await?;
    let paper = path(browser).await?;
    // Who votes without an account is led to sign in, and back to the paper.
    browser.find(By::Css("a.vote")).await?.click().await?;
    let field = wait_for(browser, "#email").await?;
    field.send_keys("Ada@Example.org" + Key::Enter).await?;
    wait_for_path(browser, "/sign-in/sent").await?;
    browser.goto(mailed_link(data)).await?;
    wait_for(browser, "form.stack button").await?.click().await?;
    wait_for(browser, "article.paper").await?;
    assert_eq!(path(browser).await?, paper);
    Ok(paper)
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

/// Takes pictures, and checks what a picture would show at once: nothing sticks out at 360 px, and
/// light and dark differ.
async fn look(browser: &WebDriver, pages: &[(&str, String)]) -> WebDriverResult<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    let folder = std::env::var_os("PRESSRUN_SCREENSHOTS").map_or(target, PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    for (name, url) in pages {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            for (size, width, height) in [("wide", 1280, 1600), ("narrow", 360, 1600)] {
                let metrics = json!({
                    "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false
                });
                let cdp = browser.cdp();
                cdp.send_raw("Emulation.setDeviceMetricsOverride", metrics).await?;
                let media =
                    json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
                cdp.send_raw("Emulation.setEmulatedMedia", media).await?;
                browser.goto(url).await?;
                wait_for(browser, "main").await?;
                let script = "return [document.documentElement.scrollWidth, innerWidth, \
                              getComputedStyle(document.body).backgroundColor]";
                let (content, window, background): (u64, u64, String) =
                    browser.execute(script, vec![]).await?.convert()?;
                assert!(content <= window, "{name} {size}: {content} px in {window} px");
                backgrounds.push(background);
                let png = browser.screenshot_as_png().await?;
                std::fs::write(folder.join(format!("{name}-{size}-{scheme}.png")), png)
                    .expect("a screenshot is written");
            }
        }
        assert_ne!(backgrounds[0], backgrounds[2], "{name}: dark looks like light");
    }
    Ok(())
}
