//! Serving over a network, and stopping.

use std::time::{Duration, Instant};

use pressrun_catalog::Catalog;
use pressrun_lab::Profile;
use pressrun_web::{Site, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::demo;
use crate::site::{search, settings};

async fn request(address: std::net::SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_live_stream_ends_when_the_site_stops() {
    let library = demo::library();
    let catalog = Catalog::in_memory().await.unwrap();
    catalog.upsert(&demo::papers(&library)).await.unwrap();
    let run = catalog.enqueue(demo::SLUG, Profile::Quick, None, None).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (_folder, search) = search();
    let site = Site::with_settings(catalog, library, search, settings());
    let serving = tokio::spawn(serve(listener, site, async move {
        let _ = stopped.await;
    }));
    let mut live = request(address, &format!("/runs/{}/events", run.id)).await;
    let mut buffer = [0; 4096];
    let mut text = String::new();
    while !text.contains("queued") {
        let read = live.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(text.starts_with("HTTP/1.1 200"));
    let clock = Instant::now();
    stop.send(()).unwrap();
    let mut rest = String::new();
    live.read_to_string(&mut rest).await.unwrap();
    assert!(!rest.contains("event: end"), "the run is not over");
    tokio::time::timeout(Duration::from_secs(8), serving).await.unwrap().unwrap().unwrap();
    assert!(clock.elapsed() < settings().grace, "the stream kept the site open");
}
