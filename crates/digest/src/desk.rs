//! Where mails become messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Message;
use pressrun_catalog::{Catalog, Mail, Paper, Purpose, SigningKey, Subscription};
use tokio::sync::OnceCell;

use crate::content::Content;
use crate::letter::{self, Edition, Letter, Links};
use crate::message::{ListHead, Sender, compose, compose_letter};
use crate::{Error, Result};

/// The kinds of mail that are letters.
pub(crate) const DIGEST: &str = "digest";
pub(crate) const TEST: &str = "digest-test";

/// How long a paper that was read is written from: the letters of an hour have the same few papers.
const FRESH: Duration = Duration::from_secs(30);

/// Writes messages for a site.
#[derive(Debug)]
pub(crate) struct Desk {
    catalog: Catalog,
    from: Sender,
    /// What links begin with, without a slash at the end.
    site: String,
    key: OnceCell<SigningKey>,
    papers: Mutex<Shelf>,
}

/// Papers that were read lately.
#[derive(Debug)]
struct Shelf {
    since: Instant,
    papers: HashMap<String, Arc<Paper>>,
}

impl Desk {
    pub(crate) fn new(catalog: Catalog, from: Sender, site: &str) -> Self {
        let shelf = Shelf { since: Instant::now(), papers: HashMap::new() };
        Self {
            catalog,
            from,
            site: site.trim_end_matches('/').to_owned(),
            key: OnceCell::new(),
            papers: Mutex::new(shelf),
        }
    }

    pub(crate) fn from(&self) -> &Sender {
        &self.from
    }

    /// The message of a mail.
    ///
    /// # Errors
    /// [`Error::Compose`] if there can be none, [`Error::Catalog`] if the catalogue cannot be read.
    pub(crate) async fn message(&self, mail: &Mail) -> Result<Message> {
        if !matches!(mail.kind.as_str(), DIGEST | TEST) {
            return compose(mail, &self.from);
        }
        let content = Content::read(&mail.body)?;
        let subscription = self.catalog.subscription(content.subscription).await?;
        let of = subscription.ok_or_else(|| Error::Compose("the subscription has ended".into()))?;
        let letter = self.letter(&of, &content).await?;
        let list = self.list(of.id).await?;
        compose_letter(mail, &letter, &list, &self.from)
    }

    /// The letter of a subscriber.
    pub(crate) async fn letter(&self, of: &Subscription, content: &Content) -> Result<Letter> {
        let edition = Edition {
            preferences: of.preferences.clone(),
            slot: content.slot(),
            late: content.late,
            test: content.test,
            papers: self.papers(&content.papers).await?,
            reason: content.no_papers(),
            links: Links {
                site: self.site.clone(),
                manage: self.link("manage", Purpose::Manage, of.id).await?,
                unsubscribe: self.link("unsubscribe", Purpose::Unsubscribe, of.id).await?,
            },
        };
        Ok(letter::write(&edition))
    }

    async fn token(&self, purpose: Purpose, subscription: i64) -> Result<String> {
        let key = self.key.get_or_try_init(|| self.catalog.signing_key()).await?;
        Ok(key.token(purpose, subscription))
    }

    async fn link(&self, page: &str, purpose: Purpose, subscription: i64) -> Result<String> {
        let token = self.token(purpose, subscription).await?;
        Ok(format!("{}/digest/{page}?token={token}", self.site))
    }

    /// One click needs a connection that nobody in between can read or change: elsewhere a mail to the
    /// sender's address asks whoever reads it.
    async fn list(&self, subscription: i64) -> Result<ListHead> {
        let one_click = self.site.starts_with("https://");
        let unsubscribe = if one_click {
            self.link("unsubscribe", Purpose::Unsubscribe, subscription).await?
        } else {
            let token = self.token(Purpose::Unsubscribe, subscription).await?;
            format!("mailto:{}?subject=unsubscribe%20{token}", self.from.address())
        };
        let host = self.site.split("://").last().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        Ok(ListHead { id: format!("<digest.{host}>"), unsubscribe, one_click })
    }

    /// Papers in their order; what is gone since is left out.
    async fn papers(&self, ids: &[String]) -> Result<Vec<Arc<Paper>>> {
        let lock = || self.papers.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<String> = {
            let mut shelf = lock();
            if shelf.since.elapsed() > FRESH {
                *shelf = Shelf { since: Instant::now(), papers: HashMap::new() };
            }
            ids.iter().filter(|id| !shelf.papers.contains_key(*id)).cloned().collect()
        };
        let mut read: HashMap<String, Arc<Paper>> = HashMap::new();
        if !missing.is_empty() {
            for paper in self.catalog.papers_of(&missing).await? {
                read.insert(paper.id.clone(), Arc::new(paper));
            }
        }
        let mut shelf = lock();
        let found = ids.iter().filter_map(|id| read.get(id).or(shelf.papers.get(id)).cloned());
        let found = found.collect();
        shelf.papers.extend(read);
        Ok(found)
    }
}
