//! Publishes issues as time goes by, and keeps the house in order.

use std::time::Duration;

use jiff::Timestamp;
use pressrun_catalog::{Catalog, Email, NewMail};

use crate::Result;
use crate::editor::Editor;

/// How often it is looked whether an issue is due.
const EVERY: Duration = Duration::from_secs(2);
/// How many looks there are between two rounds through the house: ten minutes.
const ROUND: u32 = 300;
/// How many between two notices of suspensions: one minute.
const NOTICE: u32 = 30;

/// Has an editor publish what is due, for as long as the site runs.
///
/// The clock is asked at every look, and what is due stands in the database: whatever stops, sleeps or
/// sets the clock, an issue comes when it is next looked.
#[derive(Debug, Clone)]
pub struct Publisher {
    catalog: Catalog,
    editor: Editor,
    site: String,
}

impl Publisher {
    /// A publisher for the site at that address.
    pub fn new(catalog: Catalog, editor: Editor, site: &str) -> Self {
        Self { catalog, editor, site: site.trim_end_matches('/').to_owned() }
    }

    /// Publishes until `stop` is ready. What goes wrong is logged and tried again.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut looks = 0;
        loop {
            let look = async {
                // As a task of its own: one that panics over something unforeseen ends only itself.
                let publisher = self.clone();
                match tokio::spawn(async move { publisher.look(looks).await }).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "the digest could not be published"),
                    Err(error) => tracing::error!(%error, "publishing the digest broke off"),
                }
                tokio::time::sleep(EVERY).await;
            };
            tokio::select! {
                () = look => looks = (looks + 1) % ROUND,
                () = &mut stop => return,
            }
        }
    }

    async fn look(&self, looks: u32) -> Result<()> {
        let now = Timestamp::now();
        if looks == 0 {
            let wrong = self.catalog.reckon_subscriptions(now).await?;
            if wrong > 0 {
                tracing::warn!(wrong, "issues were due beyond any schedule and are reckoned anew");
            }
            self.catalog.forget_old_mail(now).await?;
        }
        if looks.is_multiple_of(NOTICE) {
            self.catalog
                .tell_suspensions(|to, number, named| self.notice(to, number, named))
                .await?;
        }
        let published = self.editor.publish_due(now).await?;
        if published.mails + published.silent > 0 {
            let (mails, silent) = (published.mails, published.silent);
            tracing::info!(mails, silent, waiting = published.waiting, "issues were published");
        }
        Ok(())
    }

    /// What an administrator is told of suspensions.
    fn notice(&self, recipient: Email, number: u64, named: &[Email]) -> NewMail {
        let mut body = format!(
            "The mail server refused three issues in a row for the following. Nothing more is sent \
             to\nthem until they, or you, say so:\n{}/digest/admin\n\n",
            self.site
        );
        for email in named {
            body.push_str(&format!("  {email}\n"));
        }
        let more = number.saturating_sub(named.len() as u64);
        if more > 0 {
            body.push_str(&format!("  and {more} more\n"));
        }
        let subscriptions = if number == 1 { "subscription was" } else { "subscriptions were" };
        NewMail {
            kind: "digest-suspended",
            recipient,
            subject: format!("{number} {subscriptions} suspended"),
            body,
            secret: false,
        }
    }
}
