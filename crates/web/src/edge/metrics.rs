//! Counters and their text form for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use jiff::Timestamp;
use pressrun_catalog::MailCounts;
use pressrun_digest::Counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper ends of the latency classes, in seconds: a page is meant to take at most 5 ms.
const CLASSES: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Methods that have a name of their own in the counters; a client can send any word.
const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

/// All counters of a site.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    runs: Family<StateLabels, Gauge>,
    streams: Gauge,
    outbox: Family<StateLabels, Gauge>,
    oldest_mail: Gauge,
}

/// What became of mail since the site was started, counted where it is sent.
#[derive(Debug)]
struct Mail(Arc<Counters>);

impl Collector for Mail {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let counted = self.0.get();
        for (name, help, count) in [
            ("digest_composed", "Issues of the digest put into the outbox", counted.composed),
            ("digest_accepted", "Mails that were taken over, of all kinds", counted.accepted),
            ("digest_deferred", "Attempts after which a mail waits for another", counted.deferred),
            ("digest_failed", "Mails that were given up, of all kinds", counted.failed),
        ] {
            let counter = ConstCounter::new(count);
            let encoder = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(encoder)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// Counters at zero; those of mail are read from `mail`.
    pub(crate) fn new(mail: Arc<Counters>) -> Self {
        let requests = Family::default();
        let make: fn() -> Histogram = || Histogram::new(CLASSES);
        let latency = Family::new_with_constructor(make);
        let runs = Family::default();
        let streams = Gauge::default();
        let outbox = Family::default();
        let oldest_mail = Gauge::default();
        let mut registry = Registry::with_prefix("pressrun");
        registry.register(
            "http_requests",
            "Requests by route template, method and status",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time until the head of the answer",
            Unit::Seconds,
            Family::clone(&latency),
        );
        registry.register("runs", "The newest 1000 runs by state", Family::clone(&runs));
        registry.register("live_streams", "Open live streams", Gauge::clone(&streams));
        registry.register(
            "outbox_mails",
            "Mails that are not sent, by state",
            Family::clone(&outbox),
        );
        registry.register_with_unit(
            "outbox_oldest_age",
            "Age of the oldest mail that is not sent; 0 if there is none",
            Unit::Seconds,
            Gauge::clone(&oldest_mail),
        );
        registry.register_collector(Box::new(Mail(mail)));
        Self { registry, requests, latency, runs, streams, outbox, oldest_mail }
    }

    /// Counts a request.
    pub(crate) fn request(&self, route: &str, method: &Method, status: u16, latency: Duration) {
        let method = if METHODS.contains(method) { method.as_str() } else { "other" };
        let labels = RequestLabels { route: route.into(), method: method.into(), status };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: route.into() };
        self.latency.get_or_create(&labels).observe(latency.as_secs_f64());
    }

    /// States how many runs are in a state.
    pub(crate) fn runs(&self, state: &'static str, count: i64) {
        self.runs.get_or_create(&StateLabels { state }).set(count);
    }

    /// States how many live streams are open.
    pub(crate) fn streams(&self, open: i64) {
        self.streams.set(open);
    }

    /// States which mails are not sent.
    pub(crate) fn outbox(&self, unsent: &MailCounts, now: Timestamp) {
        for (state, count) in [
            ("composed", unsent.composed),
            ("claimed", unsent.claimed),
            ("deferred", unsent.deferred),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.outbox.get_or_create(&StateLabels { state }).set(count);
        }
        let age = unsent.oldest.map_or(0, |oldest| now.as_second() - oldest.as_second());
        self.oldest_mail.set(age.max(0));
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string never fails.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
