//! Counters and their text form for Prometheus.

use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
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
}

impl Metrics {
    /// Counters at zero.
    pub(crate) fn new() -> Self {
        let requests = Family::default();
        let make: fn() -> Histogram = || Histogram::new(CLASSES);
        let latency = Family::new_with_constructor(make);
        let runs = Family::default();
        let streams = Gauge::default();
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
        Self { registry, requests, latency, runs, streams }
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

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string never fails.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
