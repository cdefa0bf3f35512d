//! A mail as the message that goes out.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::ContentTransferEncoding;
use lettre::message::header::{self, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};
use pressrun_catalog::Mail;

use crate::letter::Letter;
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

impl Sender {
    /// The address alone.
    pub fn address(&self) -> &Address {
        &self.0.email
    }
}

/// What a mail to many says about itself in its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListHead {
    /// `List-Id` (RFC 2919).
    pub id: String,
    /// `List-Unsubscribe` (RFC 2369), without the angle brackets.
    pub unsubscribe: String,
    /// Whether a POST to that address ends the subscription (RFC 8058).
    pub one_click: bool,
}

/// A header that the library has no type for: by name, its value on one line.
fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// What all mails have in common. The same mail has the same head each time.
fn head(mail: &Mail, subject: &str, from: &Sender) -> Result<MessageBuilder> {
    let failed = |error: &dyn std::fmt::Display| Error::Compose(error.to_string());
    let recipient: Address =
        mail.recipient.as_str().parse().map_err(|error: AddressError| failed(&error))?;
    let id = format!("<{:x}.{}@{}>", mail.id, mail.kind, from.0.email.domain());
    // One line: a break would begin another header.
    let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let seconds = u64::try_from(mail.created_at.as_second()).unwrap_or(0);
    Ok(Message::builder()
        .from(from.0.clone())
        .to(Mailbox::new(None, recipient))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(id))
        .subject(subject)
        // Nobody wrote this by hand, and nobody's machine is to answer it (RFC 3834).
        .raw_header(header("Auto-Submitted", "auto-generated".into()))
        .header(header::MIME_VERSION_1_0))
}

/// Composes a mail of plain text. The same mail gives the same message each time.
///
/// # Errors
/// [`Error::Compose`] if the address or a header cannot stand in a message.
pub(crate) fn compose(mail: &Mail, from: &Sender) -> Result<Message> {
    let builder = head(mail, &mail.subject, from)?.header(ContentType::TEXT_PLAIN);
    builder.body(body(&mail.body)).map_err(|error| Error::Compose(error.to_string()))
}

/// Composes a letter of the digest, as text and as HTML.
///
/// # Errors
/// As [`compose`].
pub(crate) fn compose_letter(
    mail: &Mail,
    letter: &Letter,
    list: &ListHead,
    from: &Sender,
) -> Result<Message> {
    let mut builder = head(mail, &letter.subject, from)?
        .raw_header(header("List-Id", list.id.clone()))
        .raw_header(header("List-Unsubscribe", format!("<{}>", list.unsubscribe)));
    if list.one_click {
        let value = "List-Unsubscribe=One-Click".into();
        builder = builder.raw_header(header("List-Unsubscribe-Post", value));
    }
    let part = |kind: ContentType, text: &str| SinglePart::builder().header(kind).body(body(text));
    // Made of the number, so that a message is the same at every attempt.
    let parts = MultiPart::alternative()
        .boundary(format!("{:x}.{}", mail.id, mail.kind))
        .singlepart(part(ContentType::TEXT_PLAIN, &letter.text))
        .singlepart(part(ContentType::TEXT_HTML, &letter.html));
    builder.multipart(parts).map_err(|error| Error::Compose(error.to_string()))
}

/// A text as it goes out: as it is where that is allowed, so that who reads the file has each link in one
/// line; else encoded.
fn body(text: &str) -> Body {
    let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    let plain = text.is_ascii() && text.lines().all(|line| line.len() <= LONGEST_LINE);
    match plain {
        // The crate's own check stops at 76.
        true => Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::SevenBit),
        false => Body::new(text),
    }
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
