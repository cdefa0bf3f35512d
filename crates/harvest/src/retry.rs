//! When to ask again.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// First wait, doubled with every further try.
const FIRST: Duration = Duration::from_secs(5);

/// Longest wait of our own choice.
const LONGEST: Duration = Duration::from_secs(300);

/// How long to wait after try number `tried` (from 0) failed without the server naming a time: 5 s,
/// 10 s, 20 s ... up to 5 minutes, each between its half and its whole by `chance`.
pub(crate) fn backoff(tried: u32, chance: f64) -> Duration {
    let whole = FIRST.saturating_mul(2_u32.saturating_pow(tried)).min(LONGEST);
    whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// The wait that a `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date =
        httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::try_from(now.as_duration()).unwrap_or_default()))
}

/// Whether the same request may be answered otherwise a little later.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_spread() {
        let seconds = |tried, chance| backoff(tried, chance).as_secs_f64();
        assert_eq!(seconds(0, 1.0), 5.0);
        assert_eq!(seconds(0, 0.0), 2.5);
        assert_eq!(seconds(3, 1.0), 40.0);
        assert_eq!(seconds(60, 1.0), 300.0);
    }

    #[test]
    fn seconds_and_dates() {
        let now: Timestamp = "2025-09-09T12:00:00Z".parse().unwrap();
        let wait = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Tue, 09 Sep 2025 12:01:00 GMT"), Some(60));
        assert_eq!(wait("Tue, 09 Sep 2025 11:00:00 GMT"), Some(0));
        assert_eq!((wait("-3"), wait("soon"), wait("")), (None, None, None));
    }
}
