//! Options and commands about mail.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{EmbedderArgs, SiteData};

/// What mails need to know.
#[derive(Debug, Clone, Args)]
pub struct MailArgs {
    /// Who mails are from.
    #[arg(
        long,
        env = "PRESSRUN_MAIL_FROM",
        value_name = "SENDER",
        default_value = "Pressrun <pressrun@localhost>"
    )]
    pub mail_from: String,
    /// The server that takes the site's mail: `smtp://USER:PASSWORD@HOST[:PORT]` (port 587, STARTTLS
    /// required) or `smtps://…` (port 465); `?tls=opportunistic` or `?tls=none` for a server in the house.
    /// Without it mails become files in the site's folder.
    ///
    /// Others on the machine can read a program's arguments: a password is better given in the environment.
    #[arg(long, env = "PRESSRUN_SMTP", value_name = "URL", hide_env_values = true)]
    pub smtp: Option<String>,
    /// A certificate authority that the mail server's certificate may come from, besides those of the
    /// web: a PEM file.
    #[arg(long, env = "PRESSRUN_SMTP_CA", value_name = "FILE", requires = "smtp")]
    pub smtp_ca: Option<PathBuf>,
    /// Mails under way to the server at once.
    #[arg(long, env = "PRESSRUN_MAIL_CONNECTIONS", value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub mail_connections: u32,
    /// Mails sent in a minute at most; 0 for any number.
    #[arg(long, env = "PRESSRUN_MAIL_PER_MINUTE", value_name = "N", default_value_t = 0)]
    pub mail_per_minute: u32,
    /// Seconds until a mail that was put off is tried again; each further wait is twice as long.
    #[arg(long, env = "PRESSRUN_MAIL_FIRST_WAIT", value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600), hide = true)]
    pub mail_first_wait: u64,
}

/// Arguments of `digest`.
#[derive(Debug, Args)]
pub struct DigestArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DigestCommand,
}

/// Commands of `digest`.
#[derive(Debug, Subcommand)]
pub enum DigestCommand {
    /// Show the letter that would be sent now, had nothing been sent before. Nothing is sent.
    Preview(PreviewArgs),
    /// Publish what is due and send what waits. A running site does both by itself; where one runs on the
    /// same folder, sending is left to it.
    Send(SendArgs),
    /// Show subscriptions, the outbox, and what could not be delivered.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Database.
        #[command(flatten)]
        site: SiteData,
    },
    /// End a subscription: by its address, or by the token in the subject of a mail that asks for it.
    Unsubscribe {
        /// Address or token.
        whom: String,
        /// Database.
        #[command(flatten)]
        site: SiteData,
    },
}

/// Arguments of `digest preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Whose letter: the address of a subscription. Without it, one of the following preferences.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["query", "min_votes", "most", "frequency"])]
    pub to: Option<String>,
    /// Papers that a search finds.
    #[arg(long, default_value = "", value_name = "SEARCH", allow_hyphen_values = true)]
    pub query: String,
    /// Papers with so many votes at least.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub min_votes: u32,
    /// So many papers at most.
    #[arg(long, default_value_t = 12, value_name = "N")]
    pub most: u32,
    /// `every-day`, `weekdays`, or a day of the week.
    #[arg(long, default_value = "weekdays")]
    pub frequency: String,
    /// Print the HTML part.
    #[arg(long)]
    pub html: bool,
    /// The site.
    #[command(flatten)]
    pub letters: LettersArgs,
}

/// Arguments of `digest send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// The site.
    #[command(flatten)]
    pub letters: LettersArgs,
}

/// What letters are written from, and how they leave.
#[derive(Debug, Args)]
pub struct LettersArgs {
    /// What links begin with: where the site is.
    #[arg(long, env = "PRESSRUN_PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    #[arg(value_parser = pressrun_web::public_url)]
    pub url: String,
    /// Database.
    #[command(flatten)]
    pub site: SiteData,
    /// Embedder.
    #[command(flatten)]
    pub embedder: EmbedderArgs,
    /// Mail.
    #[command(flatten)]
    pub mail: MailArgs,
}
