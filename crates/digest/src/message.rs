//! A mail as the message that goes out.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::ContentTransferEncoding;
use lettre::message::header::{self, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MessageBuilder};
use pressrun_catalog::Mail;

use crate::{Error, Result};

/// Who the mail of this site is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl FromStr for Sender {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| Error::Sender { given: text.to_owned() })
    }
}

/// Says that nobody wrote this by hand, so that nobody's machine answers it (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// Composes a mail. The same mail gives the same message each time.
///
/// # Errors
/// [`Error::Compose`] if the address or a header cannot stand in a message.
pub(crate) fn compose(mail: &Mail, from: &Sender) -> Result<Message> {
    let failed = |error: &dyn std::fmt::Display| Error::Compose(error.to_string());
    let recipient: lettre::Address = mail
        .recipient
        .as_str()
        .parse()
        .map_err(|error: lettre::address::AddressError| failed(&error))?;
    let id = format!("<{:x}.{}@{}>", mail.id, mail.kind, from.0.email.domain());
    // One line: a break would begin another header.
    let subject: String =
        mail.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let seconds = u64::try_from(mail.created_at.as_second()).unwrap_or(0);
    let builder: MessageBuilder = Message::builder()
        .from(from.0.clone())
        .to(Mailbox::new(None, recipient))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(id))
        .subject(subject)
        .header(AutoSubmitted)
        .header(header::MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN);
    // As it is where that is allowed: who reads the file has the whole link in one line.
    let body = mail.body.replace("\r\n", "\n").replace('\n', "\r\n");
    let plain = body.is_ascii() && body.lines().all(|line| line.len() <= LONGEST_LINE);
    let body = match plain {
        // The crate's own check stops at 76.
        true => Body::dangerous_pre_encoded(body.into_bytes(), ContentTransferEncoding::SevenBit),
        false => Body::new(body),
    };
    builder.body(body).map_err(|error| failed(&error))
}

/// Longest line of a mail in bytes, without its end (RFC 5322).
const LONGEST_LINE: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, body: &str) -> Mail {
        Mail {
            id: 0x1234,
            kind: "sign-in".into(),
            recipient: "ada@example.org".parse().unwrap(),
            subject: subject.into(),
            body: body.into(),
            created_at: "2025-09-09T12:00:00Z".parse().unwrap(),
            attempts: 0,
        }
    }

    fn text(mail: &Mail) -> String {
        let from: Sender = "Pressrun <papers@example.net>".parse().unwrap();
        String::from_utf8(compose(mail, &from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn the_same_mail_is_the_same_message() {
        let message = text(&mail("Sign in", "The link:\n\nhttp://example.net/x\n"));
        assert_eq!(message, text(&mail("Sign in", "The link:\n\nhttp://example.net/x\n")));
        for line in [
            "From: Pressrun <papers@example.net>\r\n",
            "To: ada@example.org\r\n",
            "Message-ID: <1234.sign-in@example.net>\r\n",
            "Date: Tue, 09 Sep 2025 12:00:00 +0000\r\n",
            "Subject: Sign in\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "\r\n\r\nThe link:\r\n\r\nhttp://example.net/x\r\n",
        ] {
            assert!(message.contains(line), "{line:?} in {message}");
        }
        let long = format!("See:\n\nhttp://example.net/sign-in/link?token={}\n", "ab".repeat(60));
        assert!(text(&mail("Long", &long)).contains(&long.replace('\n', "\r\n")));
        assert!(text(&mail("Longer", &"x".repeat(2000))).lines().all(|line| line.len() <= 998));
        // Mail has no bare line feeds.
        assert!(!message.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn nothing_in_a_subject_becomes_a_header() {
        let message = text(&mail("Hi\r\nBcc: all@example.org\r\n\r\nBody", "Text"));
        assert!(!message.contains("\r\nBcc:"), "{message}");
        let other = text(&mail("Größe 学习", "Grüße"));
        assert!(other.is_ascii() && other.contains("Subject: =?utf-8?b?"), "{other}");
    }

    #[test]
    fn a_sender_is_an_address() {
        assert!("Pressrun".parse::<Sender>().is_err());
        assert!("a@example.org\r\nBcc: b@example.org".parse::<Sender>().is_err());
    }
}
