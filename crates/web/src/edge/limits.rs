//! How often the same person, address or network may do what costs others something.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::{DefaultKeyedRateLimiter, Quota};

use crate::{Error, Result};

/// Requests between two clearings of what is known of who has been quiet since.
const TIDIED: u32 = 1024;

/// The limits of a site, in memory: a restart forgets them.
pub(crate) struct Limits {
    /// Mails to one address: 5 at once, then one in ten minutes.
    mails: DefaultKeyedRateLimiter<String>,
    /// Mails of the digest that one address is sent because somebody asked: 5 at once, then one in ten
    /// minutes. Apart from those to sign in, so that nobody is kept from signing in by it.
    digests: DefaultKeyedRateLimiter<String>,
    /// Mails asked for from one network: 20 at once, then one a minute.
    networks: DefaultKeyedRateLimiter<u128>,
    /// Votes, edits and the like of one person: 60 at once, then two a second.
    people: DefaultKeyedRateLimiter<i64>,
    /// Papers that one person has looked up elsewhere: 10 at once, then one in half a minute.
    look_ups: DefaultKeyedRateLimiter<i64>,
    /// Comments, reports and claims of one person: 10 at once, then two a minute.
    comments: DefaultKeyedRateLimiter<i64>,
    requests: AtomicU32,
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self {
            mails: DefaultKeyedRateLimiter::keyed(quota(5, 600.0)),
            digests: DefaultKeyedRateLimiter::keyed(quota(5, 600.0)),
            networks: DefaultKeyedRateLimiter::keyed(quota(20, 60.0)),
            people: DefaultKeyedRateLimiter::keyed(quota(60, 0.5)),
            look_ups: DefaultKeyedRateLimiter::keyed(quota(10, 30.0)),
            comments: DefaultKeyedRateLimiter::keyed(quota(10, 30.0)),
            requests: AtomicU32::new(0),
        }
    }

    /// Whether one more mail may go to that address.
    pub(crate) fn mail_to(&self, address: &str) -> bool {
        self.tidy();
        self.mails.check_key(&address.to_owned()).is_ok()
    }

    /// Whether one more mail about the digest may go to that address.
    pub(crate) fn digest_to(&self, address: &str) -> bool {
        self.tidy();
        self.digests.check_key(&address.to_owned()).is_ok()
    }

    /// One more mail asked for from there.
    ///
    /// # Errors
    /// [`Error::TooOften`]
    pub(crate) fn mail_from(&self, from: Option<IpAddr>) -> Result<()> {
        self.tidy();
        let network = from.map_or(0, network);
        self.networks.check_key(&network).map_err(|_| Error::TooOften)
    }

    /// One more thing that a person does.
    ///
    /// # Errors
    /// [`Error::TooOften`]
    pub(crate) fn act(&self, person: i64) -> Result<()> {
        self.tidy();
        self.people.check_key(&person).map_err(|_| Error::TooOften)
    }

    /// One more paper that a person has looked up elsewhere.
    ///
    /// # Errors
    /// [`Error::TooOften`]
    pub(crate) fn look_up(&self, person: i64) -> Result<()> {
        self.look_ups.check_key(&person).map_err(|_| Error::TooOften)
    }

    /// One more text that a person puts before others.
    ///
    /// # Errors
    /// [`Error::TooOften`]
    pub(crate) fn comment(&self, person: i64) -> Result<()> {
        self.tidy();
        self.comments.check_key(&person).map_err(|_| Error::TooOften)
    }

    /// Forgets keys that are back at their beginning, now and then.
    fn tidy(&self) {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(TIDIED) {
            self.mails.retain_recent();
            self.digests.retain_recent();
            self.networks.retain_recent();
            self.people.retain_recent();
            self.look_ups.retain_recent();
            self.comments.retain_recent();
        }
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

fn quota(burst: u32, seconds: f64) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let period = std::time::Duration::from_secs_f64(seconds);
    Quota::with_period(period).map_or(Quota::per_second(burst), |quota| quota.allow_burst(burst))
}

/// The network of an address: what one person usually has to themselves, 24 bits of the old form and
/// 56 of the new.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(old) => u128::from(old.to_bits() & !0xff),
        IpAddr::V6(new) => new.to_bits() & (!0 << 72),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_no_more() {
        let limits = Limits::new();
        let from = |text: &str| limits.mail_from(Some(text.parse().unwrap()));
        for i in 0..20 {
            from(&format!("192.0.2.{i}")).unwrap();
        }
        assert!(matches!(from("192.0.2.77"), Err(Error::TooOften)));
        assert!(from("192.0.3.77").is_ok());
        // The same address in the form that a listener on both gives.
        assert!(from("::ffff:192.0.2.7").is_err());
        assert!((0..5).all(|_| limits.mail_to("a@example.org")));
        assert!(!limits.mail_to("a@example.org") && limits.mail_to("b@example.org"));
        assert!((0..5).all(|_| limits.digest_to("a@example.org")));
        assert!(!limits.digest_to("a@example.org"));
        assert!((0..60).all(|_| limits.act(1).is_ok()));
        assert!(limits.act(1).is_err() && limits.act(2).is_ok());
        assert!((0..10).all(|_| limits.comment(1).is_ok()));
        assert!(limits.comment(1).is_err() && limits.comment(2).is_ok());
    }

    #[test]
    fn networks_are_what_one_person_has() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:ff:2::"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:101::1"));
    }
}
