//! Handing messages to a mail server.

use std::fmt;
use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Auth, Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use lettre::transport::smtp::{Error as SmtpError, response::Severity};
use url::{Host, Url};

use crate::{Error, Result};

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(30);
/// How long it may take to answer. RFC 5321 asks for five minutes, and ten after a message: whoever
/// gives up sooner sends twice what a slow server has taken over.
const ANSWER: Duration = Duration::from_secs(300);
const AFTER_MESSAGE: Duration = Duration::from_secs(600);
/// How long a dialogue before the first mail may take.
const HANDSHAKE: Duration = Duration::from_secs(60);

const EXPECTED: &str = "a form like `smtp://user:password@mail.example.org:587`, \
     `smtps://user:password@mail.example.org` or `smtp://localhost:25?tls=none`";

/// When the connection to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// From the first byte: `smtps:`.
    Always,
    /// By STARTTLS, or not at all: `tls=required`, the default.
    Required,
    /// By STARTTLS where the server offers it: `tls=opportunistic`.
    Offered,
    /// Never: `tls=none`.
    Never,
}

/// A mail server, and how to talk with it.
#[derive(Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    encryption: Encryption,
    parameters: TlsParameters,
    credentials: Option<Credentials>,
    hello: ClientId,
    answer: Duration,
    after_message: Duration,
}

/// The password is kept out of logs.
impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}:{}, {:?})", self.host, self.port, self.encryption)
    }
}

impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handed {
    /// The server took it over.
    Over(String),
    /// It did not, and may later.
    Later(String),
    /// It never will.
    Never(String),
    /// The server serves nobody: it cannot be reached, or it does not take mail from us.
    Down(String),
}

impl Smtp {
    /// A server by its address: `smtp://[user:password@]host[:port][?tls=required|opportunistic|none]`
    /// (port 587, STARTTLS required, if nothing else is said) or `smtps://…` (port 465, encrypted from
    /// the first byte). `hello` is the name by which we introduce ourselves, `authority` the PEM text of
    /// a certificate authority that is trusted besides those of the web.
    ///
    /// # Errors
    /// [`Error::Server`] for another form, for a password over a connection that need not be
    /// encrypted, and for a certificate that is none.
    pub fn new(address: &str, hello: &str, authority: Option<&[u8]>) -> Result<Self> {
        let wrong = |problem: &str| Error::Server {
            // What was given may hold a password.
            problem: problem.to_owned(),
            expected: EXPECTED,
        };
        let url: Url = address.parse().map_err(|_| wrong("is not an address"))?;
        // Of other schemes than those of the web the parser leaves hosts alone.
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = Host::parse(host.ok_or_else(|| wrong("names no server"))?)
            .map_err(|_| wrong("names no server"))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong("has something after the server"));
        }
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("tls", "required") => tls = Some(Encryption::Required),
                ("tls", "opportunistic") => tls = Some(Encryption::Offered),
                ("tls", "none") => tls = Some(Encryption::Never),
                _ => return Err(wrong("has an unknown parameter")),
            }
        }
        let (encryption, port) = match (url.scheme(), tls) {
            ("smtps", None) => (Encryption::Always, 465),
            ("smtp", tls) => (tls.unwrap_or(Encryption::Required), 587),
            ("smtps", Some(_)) => return Err(wrong("has `tls=`, which `smtps:` says already")),
            _ => return Err(wrong("has an unknown scheme")),
        };
        let decoded = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| wrong("has a name that is no text"))
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some(Credentials::new(decoded(user)?, decoded(password)?))
            }
            _ => return Err(wrong("has a user without a password or a password without a user")),
        };
        let open = matches!(encryption, Encryption::Offered | Encryption::Never);
        if credentials.is_some() && open && !is_here(&host) {
            return Err(wrong("would send the password over a connection that anybody can read"));
        }
        let name = match &host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let mut parameters = TlsParameters::builder(name.clone());
        if let Some(pem) = authority {
            // Of a text without any the library makes none.
            let some = String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----");
            let certificate = Certificate::from_pem(pem).ok().filter(|_| some);
            let certificate =
                certificate.ok_or_else(|| wrong("comes with a certificate that is none"))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters =
            parameters.build().map_err(|_| wrong("comes with a certificate that is none"))?;
        Ok(Self {
            host: name,
            port: url.port().unwrap_or(port),
            encryption,
            parameters,
            credentials,
            hello: ClientId::Domain(hello.to_owned()),
            answer: ANSWER,
            after_message: AFTER_MESSAGE,
        })
    }

    /// Waits for answers no longer than that.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        (self.answer, self.after_message) = (patience, patience);
        self
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let implicit = (self.encryption == Encryption::Always).then(|| self.parameters.clone());
        let server = (self.host.as_str(), self.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT), &self.hello, implicit, None);
        let mut connection = within(HANDSHAKE.max(CONNECT), connecting).await?;
        let upgrade = match self.encryption {
            Encryption::Required => true,
            Encryption::Offered => connection.can_starttls(),
            Encryption::Always | Encryption::Never => false,
        };
        if upgrade {
            let starting = connection.starttls(self.parameters.clone(), &self.hello);
            within(HANDSHAKE, starting).await?;
        }
        if let Some(credentials) = &self.credentials {
            if connection.server_info().supports_auth_mechanism(Mechanism::Plain) {
                // In one command. The library's own dialogue says goodbye to a server that refuses, and
                // then waits for it to close the connection, for ever if need be.
                let command = Auth::new(Mechanism::Plain, credentials.clone(), None)?;
                within(self.answer, connection.command(command)).await?;
            } else {
                within(HANDSHAKE, connection.auth(&[Mechanism::Login], credentials)).await?;
            }
        }
        Ok(connection)
    }

    /// Hands a message over, on the connection that is there or a new one. Leaves the connection there
    /// if another message can go over it.
    pub(crate) async fn hand_over(
        &self,
        connection: &mut Option<AsyncSmtpConnection>,
        envelope: &Envelope,
        message: &[u8],
    ) -> Handed {
        if let Some(mut used) = connection.take() {
            // A connection that was left alone for a while may be gone, and nothing was said yet: then a
            // new one is made.
            match self.begin(&mut used, envelope).await {
                Err(failure) if failure.gone() => {}
                begun => return self.go_on(used, connection, begun, envelope, message).await,
            }
        }
        let mut new = match self.connect().await {
            Ok(new) => new,
            Err(failure) => return Handed::Down(failure.to_string()),
        };
        let begun = self.begin(&mut new, envelope).await;
        self.go_on(new, connection, begun, envelope, message).await
    }

    async fn begin(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
    ) -> Result<Response, Failure> {
        let mut parameters = Vec::new();
        if envelope.to().iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::Address);
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let mail = Mail::new(envelope.from().cloned(), parameters);
        within(self.answer, connection.command(mail)).await
    }

    async fn go_on(
        &self,
        mut connection: AsyncSmtpConnection,
        keep: &mut Option<AsyncSmtpConnection>,
        begun: Result<Response, Failure>,
        envelope: &Envelope,
        message: &[u8],
    ) -> Handed {
        if let Err(failure) = begun {
            let text = failure.to_string();
            return match failure {
                Failure::Address => {
                    *keep = Some(connection);
                    Handed::Never(text)
                }
                // Not this message is refused, but our sender: so would all others be.
                Failure::Smtp(error) if error.is_permanent() => Handed::Down(text),
                _ => Handed::Later(text),
            };
        }
        match self.rest(&mut connection, envelope, message).await {
            Ok(response) => {
                *keep = Some(connection);
                let lines: Vec<&str> = response.message().collect();
                Handed::Over(format!("{} {}", response.code(), lines.join(" ")))
            }
            Err(failure) => {
                let text = failure.to_string();
                let permanent = matches!(&failure, Failure::Smtp(error) if error.is_permanent());
                if !failure.gone() && within(self.answer, connection.command(Rset)).await.is_ok() {
                    *keep = Some(connection);
                }
                if permanent { Handed::Never(text) } else { Handed::Later(text) }
            }
        }
    }

    async fn rest(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<Response, Failure> {
        for address in envelope.to() {
            let recipient = Rcpt::new(address.clone(), Vec::new());
            within(self.answer, connection.command(recipient)).await?;
        }
        within(self.answer, connection.command(Data)).await?;
        within(self.after_message, connection.command(Body(message))).await
    }
}

/// Ends a connection in due form, if the server lets us.
pub(crate) async fn quit(mut connection: AsyncSmtpConnection) {
    let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
}

/// A message as it goes over the line: with a second dot before each dot that begins a line, and the
/// line of one dot that ends it. In one piece: what the library writes in two, Nagle's algorithm makes
/// wait for the acknowledgement of the first, up to 40 ms a message.
struct Body<'a>(&'a [u8]);

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let mut first = true;
        for line in text.split("\r\n") {
            if !first {
                f.write_str("\r\n")?;
            }
            first = false;
            if line.starts_with('.') {
                f.write_str(".")?;
            }
            f.write_str(line)?;
        }
        f.write_str(if text.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" })
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", told(.0))]
    Smtp(#[from] SmtpError),
    #[error("no answer for {} s", .0.as_secs())]
    Silence(Duration),
    #[error("the server does not take addresses like this one (SMTPUTF8)")]
    Address,
}

impl Failure {
    /// Whether the connection cannot be used any more.
    fn gone(&self) -> bool {
        match self {
            // 421: the server closes the connection.
            Self::Smtp(error) => error.status().is_none_or(|code| {
                code.severity == Severity::TransientNegativeCompletion && code.to_string() == "421"
            }),
            Self::Silence(_) => true,
            Self::Address => false,
        }
    }
}

/// The error with its causes, on one line.
fn told(error: &SmtpError) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text.replace(['\r', '\n'], " ")
}

async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Silence(patience)),
    }
}

/// Whether a host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// # Errors
/// [`Error::Compose`] for an address that cannot stand in an envelope.
pub(crate) fn envelope(from: &Address, to: &str) -> Result<Envelope> {
    let failed = |error: &dyn fmt::Display| Error::Compose(error.to_string());
    let to: Address = to.parse().map_err(|error: lettre::address::AddressError| failed(&error))?;
    Envelope::new(Some(from.clone()), vec![to]).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(address: &str) -> Result<Smtp> {
        Smtp::new(address, "papers.example.org", None)
    }

    #[test]
    fn addresses_of_servers() {
        let of = |address: &str| {
            let smtp = smtp(address).unwrap();
            (smtp.to_string(), smtp.encryption, smtp.credentials.is_some())
        };
        assert_eq!(
            of("smtp://u:p%40ss@mail.example.org"),
            ("mail.example.org:587".into(), Encryption::Required, true)
        );
        assert_eq!(
            of("smtps://u:p@mail.example.org"),
            ("mail.example.org:465".into(), Encryption::Always, true)
        );
        assert_eq!(
            of("smtp://127.0.0.1:2525?tls=none"),
            ("127.0.0.1:2525".into(), Encryption::Never, false)
        );
        assert_eq!(
            of("smtp://[::1]:25/?tls=opportunistic"),
            ("::1:25".into(), Encryption::Offered, false)
        );
        assert!(of("smtp://u:p@localhost?tls=none").2);
    }

    #[test]
    fn what_is_no_server_is_told_without_the_password() {
        for bad in [
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp://u:secret@mail.example.org?tls=none",
            "smtp://u:secret@mail.example.org?tls=opportunistic",
            "smtp://u@mail.example.org",
            "smtp://mail.example.org?tls=maybe",
            "smtp://mail.example.org/inbox",
            "smtps://u:secret@mail.example.org?tls=none",
            "smtp://u:secret@mail.example.org:x",
        ] {
            let error = smtp(bad).unwrap_err().to_string();
            assert!(error.contains("smtp://user:password@"), "{bad}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let secret = format!("{:?}", smtp("smtps://u:secret@mail.example.org").unwrap());
        assert!(!secret.contains("secret"), "{secret}");
        assert!(Smtp::new("smtps://mail.example.org", "a", Some(b"no certificate")).is_err());
    }

    #[test]
    fn dots_at_the_start_of_lines_are_doubled() {
        let sent = |text: &str| Body(text.as_bytes()).to_string();
        assert_eq!(sent("a\r\n.b\r\n..\r\n"), "a\r\n..b\r\n...\r\n.\r\n");
        assert_eq!(sent("."), "..\r\n.\r\n");
        assert_eq!(sent("a.b"), "a.b\r\n.\r\n");
    }
}
