//! A reader keeps papers: tags, notes, reads, searches what they keep, gets recommendations, exports.

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

async fn text_of(browser: &WebDriver, selector: &str) -> WebDriverResult<String> {
    wait_for(browser, selector).await?.text().await
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

async fn sign_in(browser: &WebDriver, server: &Server, data: &Path) -> WebDriverResult<()> {
    browser.goto(format!("http://{}/sign-in", server.address)).await?;
    wait_for(browser, "#email").await?.send_keys("ada@example.org" + Key::Enter).await?;
    browser.goto(mailed_link(data)).await?;
    wait_for(browser, "form.stack button").await?.click().await?;
    wait_for(browser, ".who a[href='/account']").await?;
    Ok(())
}

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
    let pressed = wait_for(browser, "#library button[aria-pressed=true]").await?;
    assert_eq!(pressed.text().await?, "Later");
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
    let done = wait_for(browser, "#library button[aria-pressed=true]").await?;
    assert_eq!(done.text().await?, "Read");

    // The library, and a word of the note within it.
    browser.find(By::Css("header nav a[href='/library']")).await?.click().await?;
    assert!(text_of(browser, ".card h2").await?.contains("EvoMoE"));
    let field =
        wait_for(browser, "form[role=search][action='/library'] input[type=search]").await?;
    field.send_keys("grace" + Key::Enter).await?;
    let card = text_of(browser, ".own li").await?;
    assert!(card.contains("Found in your note.") && card.contains("EvoMoE"), "{card}");

    // Something like it that is not there yet; what is not wanted is gone at once.
    browser.goto(at("/recommended")).await?;
    let first = text_of(browser, ".card h2").await?;
    assert!(!first.contains("EvoMoE") && text_of(browser, ".why").await?.contains("Why: "));
    wait_for(browser, "button[value=not-for-me]").await?.click().await?;
    let started = tokio::time::Instant::now();
    while !text_of(browser, ".model").await?.contains("1 paper not for you") {
        assert!(started.elapsed() < PATIENCE, "the no is not taken in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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

/// Takes pictures; nothing sticks out at 360 px, and light and dark differ.
async fn look(browser: &WebDriver, pages: &[(&str, String)]) -> WebDriverResult<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    let folder = std::env::var_os("PRESSRUN_SCREENSHOTS").map_or(target, PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    for (name, url) in pages {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            for (size, width) in [("wide", 1280), ("narrow", 360)] {
                let metrics = json!({
                    "width": width, "height": 1600, "deviceScaleFactor": 1, "mobile": false
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
