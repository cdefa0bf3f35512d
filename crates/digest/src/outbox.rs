//! Takes mail out of the catalogue's outbox, one after the other.

use std::time::Duration;

use pressrun_catalog::{Catalog, Delivery, Mail};

use crate::message::{Sender, compose};
use crate::transport::Transport;
use crate::{Error, Result};

/// How often an empty outbox is looked into.
const EVERY: Duration = Duration::from_millis(500);
/// The wait after a first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(4 * 3600);
/// Attempts after which a mail is given up: two days and a half.
const ATTEMPTS: i64 = 20;

/// Sends what waits in a catalogue.
#[derive(Debug, Clone)]
pub struct Outbox {
    catalog: Catalog,
    from: Sender,
    transport: Transport,
}

impl Outbox {
    /// An outbox whose mail is from this sender and leaves this way.
    pub fn new(catalog: Catalog, from: Sender, transport: Transport) -> Self {
        Self { catalog, from, transport }
    }

    /// Sends until `stop` is ready. What goes wrong is logged and tried again.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let step = async {
                match self.send_due().await {
                    Ok(_) => tokio::time::sleep(EVERY).await,
                    Err(error) => {
                        tracing::error!(%error, "the outbox could not be worked on");
                        tokio::time::sleep(10 * EVERY).await;
                    }
                }
            };
            tokio::select! {
                () = step => {}
                () = &mut stop => return,
            }
        }
    }

    /// Sends everything that is due. Returns how many mails were taken over.
    ///
    /// # Errors
    /// If the catalogue cannot be used. That a mail could not be sent is no error: it is noted there.
    pub async fn send_due(&self) -> Result<u64> {
        let mut sent = 0;
        while let Some(mail) = self.catalog.claim_mail().await? {
            sent += u64::from(self.send(&mail).await?);
        }
        Ok(sent)
    }

    async fn note(&self, mail: &Mail, delivery: Delivery) -> Result<()> {
        self.catalog.exchange_mails(&[(mail.id, delivery)], 0).await?;
        Ok(())
    }

    async fn send(&self, mail: &Mail) -> Result<bool> {
        let message = match compose(mail, &self.from) {
            Ok(message) => message.formatted(),
            Err(error) => {
                tracing::error!(mail = mail.id, %error, "a mail is given up");
                self.note(mail, Delivery::Failed(error.to_string())).await?;
                return Ok(false);
            }
        };
        let (transport, name) = (self.transport.clone(), name(mail));
        let delivered = tokio::task::spawn_blocking(move || transport.deliver(&name, &message));
        let delivered =
            delivered.await.unwrap_or_else(|error| Err(Error::Compose(error.to_string())));
        match delivered {
            Ok(answer) => {
                self.note(mail, Delivery::Accepted(answer)).await?;
                Ok(true)
            }
            Err(error) if mail.attempts + 1 >= ATTEMPTS => {
                tracing::error!(mail = mail.id, %error, "a mail is given up");
                self.note(mail, Delivery::Failed(error.to_string())).await?;
                Ok(false)
            }
            Err(error) => {
                let wait = wait(mail.attempts);
                tracing::warn!(mail = mail.id, %error, "a mail is tried again in {wait:?}");
                self.note(mail, Delivery::Deferred(error.to_string(), wait)).await?;
                Ok(false)
            }
        }
    }
}

/// How long to wait after so many attempts before the one that failed.
fn wait(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

/// Sorts by time, and differs between any two mails.
fn name(mail: &Mail) -> String {
    let time = mail.created_at.strftime("%Y%m%dT%H%M%SZ");
    format!("{time}-{}-{:x}", mail.kind, mail.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        assert_eq!(wait(0), FIRST_WAIT);
        assert_eq!(wait(3), 8 * FIRST_WAIT);
        assert_eq!(wait(40), LONGEST_WAIT);
        let all: Duration = (0..ATTEMPTS).map(wait).sum();
        assert!(all > Duration::from_secs(36 * 3600) && all < Duration::from_secs(72 * 3600));
    }
}
