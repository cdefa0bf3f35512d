//! Takes mail out of the catalogue's outbox and hands it over.
//!
//! Some mails are under way at once, each on a connection of its own. What became of those that came back
//! is written down in the same transaction that takes as many others, and no connection gets another
//! mail before: so a process that dies has at most as many mails handed over and not written down as
//! there are connections. These go out again, with the same `Message-ID`; no other does, and none is
//! lost.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::AsyncSmtpConnection;
use pressrun_catalog::{Catalog, Delivery, Mail, Subscription};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use crate::counters::Counters;
use crate::desk::Desk;
use crate::letter::Letter;
use crate::message::Sender;
use crate::smtp::{Handed, envelope, quit};
use crate::transport::Transport;
use crate::{Content, Error, Result};

/// How often an empty outbox is looked into.
const EVERY: Duration = Duration::from_millis(500);
/// The wait after a mail's first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(4 * 3600);
/// Attempts after which a mail is given up: two days and a half.
const ATTEMPTS: i64 = 20;
/// The longest wait until a server that could not be reached is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Connections, if nothing else is said.
const CONNECTIONS: usize = 8;

/// Sends what waits in a catalogue.
#[derive(Debug, Clone)]
pub struct Outbox {
    catalog: Catalog,
    transport: Transport,
    desk: Arc<Desk>,
    counters: Arc<Counters>,
    connections: usize,
    first_wait: Duration,
    /// Ticks when one more mail may go, where their number is limited.
    pace: Option<Arc<Mutex<Interval>>>,
}

/// When work ends.
enum Until<'a> {
    /// When this is ready.
    Told(Pin<&'a mut (dyn Future<Output = ()> + Send)>),
    /// When nothing is due.
    Done,
}

/// A mail that came back.
struct Back {
    mail: i64,
    delivery: Delivery,
    /// The server served nobody.
    down: Option<String>,
    connection: Option<AsyncSmtpConnection>,
}

impl Outbox {
    /// An outbox whose mail is from this sender and leaves this way; links in it begin with `site`.
    pub fn new(catalog: Catalog, from: Sender, transport: Transport, site: &str) -> Self {
        Self {
            desk: Arc::new(Desk::new(catalog.clone(), from, site)),
            catalog,
            transport,
            counters: Arc::default(),
            connections: CONNECTIONS,
            first_wait: FIRST_WAIT,
            pace: None,
        }
    }

    /// Has what becomes of mails counted there.
    #[must_use]
    pub fn with_counters(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// With so many mails under way at once, at least one.
    #[must_use]
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// With another wait after a mail's first failure than half a minute.
    #[must_use]
    pub fn with_first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// With at most so many mails a minute, evenly spaced; 0 for any number.
    #[must_use]
    pub fn with_rate(mut self, per_minute: u32) -> Self {
        self.pace = (per_minute > 0).then(|| {
            let mut interval = tokio::time::interval(Duration::from_secs(60) / per_minute);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Arc::new(Mutex::new(interval))
        });
        self
    }

    /// Sends until `stop` is ready, then waits for what is under way. What goes wrong is logged and
    /// tried again. Only one process may do so on a catalogue.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let stop: Pin<&mut (dyn Future<Output = ()> + Send)> = std::pin::pin!(stop);
        // Without an end there is no error to hand on: it is logged.
        let _ = self.work(Until::Told(stop)).await;
    }

    /// Sends everything that is due, at the rate that is set.
    ///
    /// # Errors
    /// If the catalogue cannot be used, or [`Error::Down`] if the server serves nobody. That a mail
    /// could not be sent is no error: it is noted.
    pub async fn send_due(&self) -> Result<()> {
        self.work(Until::Done).await
    }

    /// The letter that a subscriber gets of a content.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub async fn preview(&self, of: &Subscription, content: &Content) -> Result<Letter> {
        self.desk.letter(of, content).await
    }

    async fn work(&self, mut until: Until<'_>) -> Result<()> {
        let mut work = Work::new(self.connections);
        match self.catalog.release_mails().await {
            Ok(0) => {}
            Ok(released) => {
                tracing::info!(released, "mails that a sender left behind are taken up")
            }
            Err(error) => tracing::error!(%error, "the outbox could not be opened"),
        }
        loop {
            if let Err(error) = self.exchange(&mut work).await {
                tracing::error!(%error, "the outbox could not be worked on");
                if matches!(until, Until::Done) && work.under_way.is_empty() {
                    return Err(error);
                }
                work.rest_until = Some(Instant::now() + 10 * EVERY);
            }
            let idle = work.under_way.is_empty() && work.back.is_empty();
            if idle && work.stopping {
                break;
            }
            if idle && matches!(until, Until::Done) {
                match work.down.take() {
                    Some(answer) => return Err(Error::Down(answer)),
                    None if work.dry() => break,
                    None => {}
                }
            }
            tokio::select! {
                Some(back) = work.under_way.join_next(), if !work.under_way.is_empty() => {
                    self.take_back(&mut work, back.ok());
                    // As one transaction: those that came back meanwhile.
                    while let Some(back) = work.under_way.try_join_next() {
                        self.take_back(&mut work, back.ok());
                    }
                }
                () = tokio::time::sleep(EVERY), if work.dry() || work.resting() => {}
                () = told(&mut until), if !work.stopping => {
                    work.stopping = true;
                    work.halt.send_replace(true);
                }
            }
            if work.dry() && work.under_way.is_empty() {
                // Nobody keeps a server's connections open for nothing.
                for connection in work.free.iter_mut().filter_map(Option::take) {
                    tokio::spawn(quit(connection));
                }
            }
        }
        for connection in work.free.into_iter().flatten() {
            quit(connection).await;
        }
        Ok(())
    }

    /// Writes down what came back, and takes as many mails as there are connections free.
    async fn exchange(&self, work: &mut Work) -> Result<()> {
        let free = work.free.len();
        let wanted = if work.stopping || work.dry() || work.resting() {
            0
        } else if work.failures > 0 {
            // One finds out whether the server is back.
            usize::from(work.under_way.is_empty())
        } else {
            free
        };
        if wanted == 0 && work.back.is_empty() {
            return Ok(());
        }
        let most = u32::try_from(wanted).unwrap_or(u32::MAX);
        let mails = self.catalog.exchange_mails(&work.back, most).await?;
        work.back.clear();
        if mails.len() < wanted {
            work.dry_until = Some(Instant::now() + EVERY);
        }
        for mail in mails {
            // A clock that leaps can end a claim while the mail is under way.
            if !work.ids.insert(mail.id) {
                continue;
            }
            let connection = work.free.pop().flatten();
            let (outbox, halt) = (self.clone(), work.halt.subscribe());
            work.under_way.spawn(async move { outbox.send(mail, connection, halt).await });
        }
        Ok(())
    }

    fn take_back(&self, work: &mut Work, back: Option<Back>) {
        let Some(back) = back else {
            // The task panicked: its mail is claimed until its time is over.
            work.free.push(None);
            if work.under_way.is_empty() {
                work.ids.clear();
            }
            return;
        };
        work.ids.remove(&back.mail);
        work.free.push(back.connection);
        match back.down {
            None => (work.failures, work.down) = (0, None),
            Some(answer) => {
                let now = Instant::now();
                // Those that were under way with it tell the same.
                if !work.resting() {
                    let pause = Duration::from_secs(1) * (1 << work.failures.min(6));
                    let pause = pause.min(LONGEST_PAUSE);
                    work.failures += 1;
                    work.rest_until = Some(now + pause);
                    tracing::warn!(answer, "the mail server is tried again in {pause:?}");
                }
                work.down = Some(answer);
            }
        }
        work.back.push((back.mail, back.delivery));
    }

    /// Sends one mail.
    async fn send(
        &self,
        mail: Mail,
        mut connection: Option<AsyncSmtpConnection>,
        mut halt: watch::Receiver<bool>,
    ) -> Back {
        let mut down = None;
        let delivery = match self.compose(&mail).await {
            Err(Error::Catalog(error)) => {
                tracing::error!(mail = mail.id, %error, "a mail could not be composed");
                Delivery::Deferred(error.to_string(), self.wait(mail.attempts))
            }
            Err(error) => {
                tracing::warn!(mail = mail.id, %error, "a mail is given up");
                self.counters.failed();
                Delivery::Failed(error.to_string())
            }
            Ok(_) if !self.paced(&mut halt).await => Delivery::Untried,
            Ok((envelope, message)) => {
                let sent = self.transport.deliver(&mut connection, name(&mail), &envelope, message);
                match sent.await {
                    Handed::Over(answer) => {
                        self.counters.accepted();
                        Delivery::Accepted(answer)
                    }
                    Handed::Later(answer) if mail.attempts + 1 < ATTEMPTS => {
                        let wait = self.wait(mail.attempts);
                        tracing::info!(mail = mail.id, answer, "a mail is tried again in {wait:?}");
                        self.counters.deferred();
                        Delivery::Deferred(answer, wait)
                    }
                    Handed::Later(answer) | Handed::Never(answer) => {
                        tracing::warn!(mail = mail.id, answer, "a mail is given up");
                        self.counters.failed();
                        Delivery::Failed(answer)
                    }
                    Handed::Down(answer) => {
                        down = Some(answer);
                        Delivery::Untried
                    }
                }
            }
        };
        Back { mail: mail.id, delivery, down, connection }
    }

    async fn compose(&self, mail: &Mail) -> Result<(lettre::address::Envelope, Vec<u8>)> {
        let message = self.desk.message(mail).await?.formatted();
        Ok((envelope(self.desk.from().address(), mail.recipient.as_str())?, message))
    }

    /// Waits until one more mail may go; false if the outbox is told to stop before.
    async fn paced(&self, halt: &mut watch::Receiver<bool>) -> bool {
        let Some(pace) = &self.pace else { return true };
        let tick = async { pace.lock().await.tick().await };
        tokio::select! {
            _ = tick => true,
            _ = halt.wait_for(|halt| *halt) => false,
        }
    }

    /// How long to wait after so many attempts before the one that failed.
    fn wait(&self, attempts: i64) -> Duration {
        let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
        self.first_wait.saturating_mul(1 << doublings).min(LONGEST_WAIT)
    }
}

/// What is under way.
struct Work {
    under_way: JoinSet<Back>,
    /// Their numbers.
    ids: HashSet<i64>,
    /// Connections that have no mail; `None` where none is open.
    free: Vec<Option<AsyncSmtpConnection>>,
    /// What came back and is not written down.
    back: Vec<(i64, Delivery)>,
    /// Until when it is taken that nothing more is due.
    dry_until: Option<Instant>,
    /// Times in a row that the server served nobody, and what was told last.
    failures: u32,
    down: Option<String>,
    rest_until: Option<Instant>,
    stopping: bool,
    halt: watch::Sender<bool>,
}

impl Work {
    fn new(connections: usize) -> Self {
        Self {
            under_way: JoinSet::new(),
            ids: HashSet::new(),
            free: (0..connections).map(|_| None).collect(),
            back: Vec::new(),
            dry_until: None,
            failures: 0,
            down: None,
            rest_until: None,
            stopping: false,
            halt: watch::Sender::new(false),
        }
    }

    fn dry(&self) -> bool {
        self.dry_until.is_some_and(|until| until > Instant::now())
    }

    fn resting(&self) -> bool {
        self.rest_until.is_some_and(|until| until > Instant::now())
    }
}

async fn told(until: &mut Until<'_>) {
    match until {
        Until::Told(stop) => stop.as_mut().await,
        Until::Done => std::future::pending().await,
    }
}

/// Sorts by time, and differs between any two mails.
fn name(mail: &Mail) -> String {
    let time = mail.created_at.strftime("%Y%m%dT%H%M%SZ");
    format!("{time}-{}-{:x}", mail.kind, mail.id)
}
