//! A client that keeps its connection, for measuring.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};

use crate::bench::ADDRESS;

/// A client of the site under measurement.
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    pub fn new() -> Result<Self> {
        let stream = TcpStream::connect(ADDRESS)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// A document that must be there.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        write!(self.0.get_mut(), "GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n")?;
        let (status, body) = self.answer()?;
        if status != 200 {
            bail!("`{path}` answered {status}");
        }
        Ok(body)
    }

    /// Sends a form as the person of a session, who must be led on.
    pub fn post(&mut self, path: &str, session: &str, form: &str) -> Result<()> {
        // In one write: two would wait for one another's acknowledgement.
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nCookie: pressrun_session={session}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let (status, body) = self.answer()?;
        if status != 303 {
            bail!("`{path}` answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("an answer that begins with `{line}`"))?;
        let mut length = None;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = Some(value.trim().parse()?);
            }
        }
        let mut body = vec![0; length.context("an answer without a length")?];
        self.0.read_exact(&mut body)?;
        Ok((status, body))
    }
}
