//! `pressrun digest`: the digest from the command line, and how the site's mail leaves.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pressrun_catalog::{Catalog, Email, Preferences, Purpose, Schedule, Subscription};
use pressrun_digest::{Editor, Outbox, Sender, Smtp, Transport};
use pressrun_search::Search;
use pressrun_search::query::Query;
use pressrun_web::SavedSearches;
use serde_json::json;

use super::search::{folder as search_folder, vectors};
use super::serve::try_lock;
use super::{catalog, library};
use crate::cli::{
    DigestArgs, DigestCommand, EmbedderArgs, LettersArgs, MailArgs, PreviewArgs, SendArgs,
};

/// Mails that could not be delivered, as many as `status` shows.
const SHOWN: u32 = 20;

/// The outbox of a site.
pub struct Mail {
    /// It.
    pub outbox: Outbox,
    /// Where mail goes, for people: a server or a folder.
    pub whereto: String,
}

/// The outbox that the options ask for, of a site at `url`.
pub fn outbox(catalog: &Catalog, args: &MailArgs, folder: &Path, url: &str) -> Result<Mail> {
    let from: Sender = args.mail_from.parse().context("reading `--mail-from`")?;
    let (transport, whereto) = match &args.smtp {
        Some(address) => {
            let authority = args.smtp_ca.as_ref().map(|file| {
                std::fs::read(file).with_context(|| format!("reading `{}`", file.display()))
            });
            let authority = authority.transpose()?;
            let hello = from.address().domain();
            let server = Smtp::new(address, hello, authority.as_deref()).context("`--smtp`")?;
            let whereto = server.to_string();
            (Transport::Smtp(Box::new(server)), whereto)
        }
        None => {
            let folder = folder.join("mail");
            let whereto = folder.display().to_string();
            (Transport::Files(folder), whereto)
        }
    };
    let outbox = Outbox::new(catalog.clone(), from, transport, url)
        .with_connections(args.mail_connections as usize)
        .with_first_wait(Duration::from_secs(args.mail_first_wait))
        .with_rate(args.mail_per_minute);
    Ok(Mail { outbox, whereto })
}

/// Carries out a command.
pub async fn digest(args: DigestArgs) -> Result<ExitCode> {
    match args.command {
        DigestCommand::Preview(args) => preview(args).await?,
        DigestCommand::Send(args) => send(args).await?,
        DigestCommand::Status { json, site } => status(&catalog(&site.data).await?, json).await?,
        DigestCommand::Unsubscribe { whom, site } => {
            unsubscribe(&catalog(&site.data).await?, &whom).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn editor(
    catalog: &Catalog,
    data: &Path,
    embedder: &EmbedderArgs,
) -> Result<(Editor, Search)> {
    let search = Search::open(&search_folder(data), vectors(embedder)?)
        .context("opening the search index")?;
    let topics = SavedSearches::new(search.clone(), Arc::new(library()?));
    Ok((Editor::new(catalog.clone(), Arc::new(topics)), search))
}

async fn preview(args: PreviewArgs) -> Result<()> {
    let LettersArgs { url, site, embedder, mail } = &args.letters;
    let data = &site.data;
    let catalog = catalog(data).await?;
    let (editor, _) = editor(&catalog, data, embedder).await?;
    let now = Timestamp::now();
    let of = match &args.to {
        Some(address) => {
            let email: Email = address.parse()?;
            let found = catalog.subscription_of(&email).await?;
            found.with_context(|| format!("`{email}` has no subscription"))?
        }
        None => sample(&args, now)?,
    };
    let content = editor.sample(of.id, &of.preferences, now).await?;
    let mail = outbox(&catalog, mail, data, url)?;
    let letter = mail.outbox.preview(&of, &content).await?;
    if args.html {
        println!("{}", letter.html);
    } else {
        println!("Subject: {}\n\n{}", letter.subject, letter.text);
    }
    Ok(())
}

/// A subscription that nobody has.
fn sample(args: &PreviewArgs, now: Timestamp) -> Result<Subscription> {
    args.query.parse::<Query>().context("reading `--query`")?;
    let schedule = Schedule { frequency: args.frequency.parse()?, hour: 7, zone: "UTC".into() };
    let preferences = Preferences {
        schedule,
        query: args.query.trim().to_owned(),
        min_votes: args.min_votes,
        most: args.most,
        send_empty: false,
    };
    preferences.check()?;
    Ok(Subscription {
        id: 0,
        email: "reader@localhost".parse()?,
        preferences,
        created_at: now,
        asked_at: now,
        confirmed_at: Some(now),
        paused_until: None,
        next_at: None,
        suspended_at: None,
        failures: 0,
    })
}

async fn send(args: SendArgs) -> Result<()> {
    let LettersArgs { url, site, embedder, mail } = &args.letters;
    let data = &site.data;
    let catalog = catalog(data).await?;
    // Held until the end: a site that is started meanwhile would send the same mails.
    let lock = try_lock(data)?;
    let (editor, search) = editor(&catalog, data, embedder).await?;
    if lock.is_some() {
        search.catch_up(&catalog, None, &mut |_| {}).await.context("reading new papers")?;
    }
    let published = editor.publish_due(Timestamp::now()).await?;
    println!(
        "{} issues published, {} without papers, {} waiting for their search",
        published.mails, published.silent, published.waiting
    );
    let before = catalog.mail_counts().await?;
    if lock.is_none() {
        println!("A site is running here; it sends the {} mails that wait.", before.unsent());
        return Ok(());
    }
    let mail = outbox(&catalog, mail, data, url)?;
    mail.outbox.send_due().await.with_context(|| format!("sending to {}", mail.whereto))?;
    let after = catalog.mail_counts().await?;
    println!(
        "{} mails sent to {}, {} given up, {} to be tried again",
        after.accepted - before.accepted,
        mail.whereto,
        after.failed - before.failed,
        after.unsent()
    );
    Ok(())
}

async fn status(catalog: &Catalog, as_json: bool) -> Result<()> {
    let now = Timestamp::now();
    let of = catalog.subscription_counts(TimeZone::UTC.to_datetime(now).date()).await?;
    let mail = catalog.mail_counts().await?;
    let failed = catalog.failed_mails(SHOWN).await?;
    let age = mail.oldest.map(|oldest| now.duration_since(oldest).as_secs().max(0));
    if as_json {
        let failures: Vec<_> = failed
            .iter()
            .map(|mail| {
                json!({ "at": mail.ended_at, "kind": mail.kind, "to": mail.recipient,
                    "answer": mail.answer })
            })
            .collect();
        let text = json!({
            "subscriptions": { "active": of.active, "paused": of.paused,
                "suspended": of.suspended, "unconfirmed": of.open },
            "mails": { "composed": mail.composed, "claimed": mail.claimed,
                "deferred": mail.deferred, "accepted": mail.accepted, "failed": mail.failed,
                "oldest_unsent_seconds": age },
            "failures": failures,
        });
        println!("{text}");
        return Ok(());
    }
    println!(
        "Subscriptions: {} active, {} paused, {} suspended, {} not confirmed",
        of.active, of.paused, of.suspended, of.open
    );
    println!(
        "Mails of the last month: {} accepted, {} given up; {} wait, {} under way, {} to be tried again",
        mail.accepted, mail.failed, mail.composed, mail.claimed, mail.deferred
    );
    if let Some(age) = age {
        println!("The oldest of those waits for {age} s");
    }
    for mail in failed {
        println!("  {} {} to {}: {}", mail.ended_at, mail.kind, mail.recipient, mail.answer);
    }
    Ok(())
}

async fn unsubscribe(catalog: &Catalog, whom: &str) -> Result<()> {
    let by_token = catalog.signing_key().await?.read(Purpose::Unsubscribe, whom.trim());
    let id = match by_token {
        Some(id) => Some(id),
        None if whom.contains('@') => {
            catalog.subscription_of(&whom.parse()?).await?.map(|subscription| subscription.id)
        }
        None => bail!("`{whom}` is neither an address nor a token of this site"),
    };
    let ended = match id {
        Some(id) => catalog.unsubscribe(id).await?,
        None => false,
    };
    println!("{}", if ended { "The subscription has ended." } else { "There is no subscription." });
    Ok(())
}
