//! The browser, and what all journeys do with it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use thirtyfour::common::capabilities::chrome::ChromeCapabilities;
use thirtyfour::prelude::*;

use crate::server::{self, PATIENCE, Server};

const DRIVER: &str = "/usr/bin/chromedriver";

/// ChromeDriver on a free port; killed when dropped.
pub struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    pub fn start() -> Option<Self> {
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

pub async fn browser(driver: &Driver, profile: &Path) -> WebDriverResult<WebDriver> {
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
pub async fn wait_for(browser: &WebDriver, selector: &str) -> WebDriverResult<WebElement> {
    let query = browser.query(By::Css(selector));
    query.wait(PATIENCE, Duration::from_millis(50)).first().await
}

/// The text of an element, once it is there. A page that comes anew between finding and reading is looked
/// at again.
pub async fn text_of(browser: &WebDriver, selector: &str) -> WebDriverResult<String> {
    let started = tokio::time::Instant::now();
    loop {
        match wait_for(browser, selector).await?.text().await {
            Err(error)
                if error.to_string().contains("stale element") && started.elapsed() < PATIENCE => {}
            read => return read,
        }
    }
}

/// Waits until an element has a text; other texts are those of a page that is about to go.
pub async fn wait_for_text(browser: &WebDriver, selector: &str, text: &str) -> WebDriverResult<()> {
    let started = tokio::time::Instant::now();
    loop {
        let read = text_of(browser, selector).await?;
        if read.contains(text) {
            return Ok(());
        }
        assert!(started.elapsed() < PATIENCE, "`{selector}` says `{read}`, and not `{text}`");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The path and query of the address.
pub async fn path(browser: &WebDriver) -> WebDriverResult<String> {
    browser.execute("return location.pathname + location.search", vec![]).await?.convert()
}

pub async fn wait_for_path(browser: &WebDriver, path: &str) -> WebDriverResult<()> {
    let started = tokio::time::Instant::now();
    while self::path(browser).await? != path {
        assert!(started.elapsed() < PATIENCE, "{path} is not reached");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The text of the mail of a kind that was written, once there is one.
pub fn mailed(data: &Path, kind: &str) -> String {
    let folder = data.join("mail");
    let name = format!("-{kind}-");
    let mail = || {
        let files = std::fs::read_dir(&folder).ok()?.filter_map(Result::ok);
        let mut mails = files.map(|file| file.path()).filter(|path| {
            let named = path.file_name().is_some_and(|own| own.to_string_lossy().contains(&name));
            named && path.extension().is_some_and(|extension| extension == "eml")
        });
        std::fs::read_to_string(mails.next()?).ok()
    };
    server::wait_for("the mail", mail)
}

/// The address of a page of the site in the mail of a kind.
pub fn link_in(data: &Path, kind: &str, page: &str) -> String {
    let text = mailed(data, kind);
    let line = text.lines().find(|line| line.contains(page));
    line.expect("a link").trim().to_owned()
}

/// The address in the mail that signs in.
pub fn mailed_link(data: &Path) -> String {
    link_in(data, "sign-in", "/sign-in/link?token=")
}

/// Signs in from a paper's page, by the link in the mailed file. Returns the paper's path.
pub async fn sign_in_at_a_paper(
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

/// Signs in by the link in the mailed file.
pub async fn sign_in(browser: &WebDriver, server: &Server, data: &Path) -> WebDriverResult<()> {
    browser.goto(format!("http://{}/sign-in", server.address)).await?;
    wait_for(browser, "#email").await?.send_keys("ada@example.org" + Key::Enter).await?;
    browser.goto(mailed_link(data)).await?;
    wait_for(browser, "form.stack button").await?.click().await?;
    wait_for(browser, ".who a[href='/account']").await?;
    Ok(())
}

/// Takes pictures, and checks what a picture would show at once: nothing sticks out at 360 px, and
/// light and dark differ.
pub async fn look(browser: &WebDriver, pages: &[(&str, String)]) -> WebDriverResult<()> {
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
