//! Page after page out of a source and into the catalogue.

use std::fs::File;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::Offset};
use pressrun_catalog::import::{Options, Progress, Report, import_open};
use pressrun_catalog::{Catalog, Harvest};
use url::Url;

use crate::retry::backoff;
use crate::source::http;
use crate::{Answer, Clock, Error, Fetcher, Result, Since, Source, Validators};

/// Where arXiv answers.
pub(crate) const ARXIV: &str = "https://export.arxiv.org/api/query";

/// Papers of one page of arXiv's API. It gives up to 2,000, and answers more reliably with fewer.
const PAGE: u64 = 500;

/// What arXiv asks to wait between two requests (<https://info.arxiv.org/help/api/tou.html>).
const PAUSE: Duration = Duration::from_secs(3);

/// Most papers of one query. arXiv's API gives up to 30,000, and fails more often on late pages.
const MOST: u64 = 10_000;

/// How far back a harvest without a wish begins.
const DEFAULT_HOURS: i64 = 48;

/// Papers are announced later than they were submitted, over a week-end by three days and more; what
/// was fetched up to a moment is therefore asked for again from so many hours before.
const OVERLAP_HOURS: i64 = 120;

/// How somebody wants to harvest.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// From when on. If absent, from where the last harvest of the source ended, else two days of
    /// arXiv and all of a repository. A file has no such choice.
    pub since: Option<Since>,
    /// How to import.
    pub options: Options,
}

/// Where imports of a harvest report to.
type Watch<'w> = &'w mut (dyn FnMut(Progress) + Send);

/// Harvests sources into a catalogue.
#[derive(Debug, Clone)]
pub struct Harvester {
    catalog: Catalog,
    fetcher: Fetcher,
    arxiv: Url,
}

/// A page and where it leads.
struct Page {
    report: Report,
    validators: Validators,
}

impl Harvester {
    /// One that asks arXiv where arXiv is.
    ///
    /// # Panics
    /// Never: the address is a constant.
    pub fn new(catalog: Catalog, fetcher: Fetcher) -> Self {
        let arxiv = Url::parse(ARXIV).expect("the address of arXiv is valid");
        Self { catalog, fetcher, arxiv }
    }

    /// Asks another server for arXiv's papers: a mirror, or a test.
    ///
    /// # Errors
    /// [`Error::Address`] if it is none of http or https.
    pub fn with_arxiv(self, url: &str) -> Result<Self> {
        Ok(Self { arxiv: http(url)?, ..self })
    }

    /// The clock by which it waits.
    pub fn clock(&self) -> &dyn Clock {
        self.fetcher.clock()
    }

    /// Imports what a source has, and notes after every page how far that is.
    ///
    /// # Errors
    /// That of the first page that could not be had. What came before it is in the catalogue, and the
    /// same call goes on there.
    pub async fn harvest(&self, source: &Source, wish: &Wish, watch: Watch<'_>) -> Result<Report> {
        let mut state = self.catalog.harvest(&source.to_string()).await?.unwrap_or_default();
        state.source = source.to_string();
        match source {
            Source::File { url } => self.file(url, wish, state, watch).await,
            Source::Arxiv { category } => self.arxiv(category, wish, state, watch).await,
            Source::Oai { url, set, metadata } => {
                let list = List { url, set: set.as_deref(), metadata };
                self.oai(&list, wish, state, watch).await
            }
        }
    }

    async fn file(
        &self,
        url: &Url,
        wish: &Wish,
        mut state: Harvest,
        watch: Watch<'_>,
    ) -> Result<Report> {
        let known =
            Validators { etag: state.etag.clone(), last_modified: state.last_modified.clone() };
        // To be put on a day is asked of papers that have not changed, too.
        let known = if wish.options.list_on.is_some() { Validators::default() } else { known };
        let Some(page) = self.page(url, &known, wish, watch).await? else {
            tracing::info!("`{url}` has not changed");
            return Ok(Report::default());
        };
        // Half a file would otherwise never be completed.
        if !page.report.cut {
            Validators { etag: state.etag, last_modified: state.last_modified } = page.validators;
            self.catalog.save_harvest(&state).await?;
        }
        Ok(page.report)
    }

    async fn arxiv(
        &self,
        category: &str,
        wish: &Wish,
        mut state: Harvest,
        watch: Watch<'_>,
    ) -> Result<Report> {
        let now = self.fetcher.clock().now();
        let mut window = begin(&mut state, wish, now, Some(DEFAULT_HOURS));
        let mut sum = Report::default();
        loop {
            let start: u64 = state.position.as_deref().and_then(|p| p.parse().ok()).unwrap_or(0);
            let url = self.arxiv_page(category, &window, start);
            let page = self.full_page(&url, start, wish, watch).await?;
            let next = start + page.read;
            let total = page.total.unwrap_or(next);
            if start == 0 && total > MOST {
                sum.absorb(page);
                window = Self::halved(&mut state, &window, total)?;
                self.fetcher.clock().sleep(PAUSE).await;
                continue;
            }
            let done = next >= total;
            state.position = (!done).then(|| next.to_string());
            self.catalog.save_harvest(&state).await?;
            tracing::info!("{}: {next} of {total} papers", state.source);
            sum.absorb(page);
            if done {
                // One that was broken off long ago, or halved, is completed by what came since.
                let Some(later) = later(&mut state, &window, now) else { return Ok(sum) };
                window = later;
            }
            self.fetcher.clock().sleep(PAUSE).await;
        }
    }

    /// The first half of a stretch with more papers than one query may have.
    fn halved(
        state: &mut Harvest,
        &(from, to): &(Timestamp, Timestamp),
        total: u64,
    ) -> Result<(Timestamp, Timestamp)> {
        let hours = to.duration_since(from).as_hours() / 2;
        // Less would not get ahead of what is asked for twice.
        if hours < 2 * OVERLAP_HOURS {
            let reason = format!("{total} papers from {from} to {to}; expected at most {MOST}");
            return Err(Error::Source { source_name: state.source.clone(), reason });
        }
        Ok(settle(state, from, back(to, hours)))
    }

    fn arxiv_page(&self, category: &str, (from, to): &(Timestamp, Timestamp), start: u64) -> Url {
        let minute = |moment: &Timestamp| moment.strftime("%Y%m%d%H%M").to_string();
        let range = format!("submittedDate:[{} TO {}]", minute(from), minute(to));
        let mut url = self.arxiv.clone();
        url.query_pairs_mut()
            .append_pair("search_query", &format!("cat:{category} AND {range}"))
            .append_pair("start", &start.to_string())
            .append_pair("max_results", &PAGE.to_string())
            // Oldest first: what comes in meanwhile moves no page.
            .append_pair("sortBy", "submittedDate")
            .append_pair("sortOrder", "ascending");
        url
    }

    /// A page of arXiv. At times it answers with none where there are some: that passes.
    async fn full_page(
        &self,
        url: &Url,
        start: u64,
        wish: &Wish,
        watch: Watch<'_>,
    ) -> Result<Report> {
        let missing = |report: &Report| report.read == 0 && start < report.total.unwrap_or(0);
        self.whole_page(url, wish, &missing, watch).await
    }

    async fn oai(
        &self,
        list: &List<'_>,
        wish: &Wish,
        mut state: Harvest,
        watch: Watch<'_>,
    ) -> Result<Report> {
        let now = self.fetcher.clock().now();
        let mut window = begin(&mut state, wish, now, None);
        let mut sum = Report::default();
        let mut again = true;
        loop {
            let url = list.page(window.0, state.position.as_deref());
            let page = self.whole_page(&url, wish, &|_| false, watch).await?;
            match page.refused.as_deref() {
                // Tokens are forgotten after a day or so; the list then has to be begun anew, once.
                Some("badResumptionToken") if state.position.is_some() && again => {
                    tracing::warn!("{}: the token is not known any more; from the start", list.url);
                    again = false;
                    state.position = None;
                }
                Some(code) => {
                    let said = page.bad.first().map_or(code, |bad| bad.reason.as_str());
                    let reason = said.to_owned();
                    return Err(Error::Source { source_name: state.source, reason });
                }
                None => {
                    state.position.clone_from(&page.next);
                    self.catalog.save_harvest(&state).await?;
                    tracing::info!("{}: {} records", list.url, sum.read + page.read);
                    let done = page.next.is_none();
                    sum.absorb(page);
                    if done {
                        let Some(later) = later(&mut state, &window, now) else { return Ok(sum) };
                        window = later;
                    }
                }
            }
            self.fetcher.clock().sleep(PAUSE).await;
        }
    }

    /// A page that could be read to its end; otherwise it is asked for again.
    async fn whole_page(
        &self,
        url: &Url,
        wish: &Wish,
        missing: &(dyn Fn(&Report) -> bool + Sync),
        watch: Watch<'_>,
    ) -> Result<Report> {
        let mut tried = 0;
        loop {
            let page = self.page(url, &Validators::default(), wish, watch).await?;
            // Without validators nothing is unchanged; whoever says so has nothing to say.
            let report = page.map(|page| page.report).unwrap_or_default();
            if !report.cut && !missing(&report) {
                return Ok(report);
            }
            tried += 1;
            let reason = match report.bad.last() {
                Some(bad) if report.cut => bad.reason.clone(),
                _ => "an empty page where there are papers".into(),
            };
            if tried >= self.fetcher.limits().tries {
                return Err(Error::Source { source_name: url.to_string(), reason });
            }
            let wait = backoff(tried - 1, self.fetcher.clock().chance());
            tracing::warn!(wait_s = wait.as_secs(), "`{url}`: {reason}; trying again");
            self.fetcher.clock().sleep(wait).await;
        }
    }

    /// Fetches and imports one file; `None` if it has not changed.
    async fn page(
        &self,
        url: &Url,
        known: &Validators,
        wish: &Wish,
        watch: Watch<'_>,
    ) -> Result<Option<Page>> {
        match self.fetcher.fetch(url, known).await? {
            Answer::Unchanged => Ok(None),
            Answer::File(file, validators) => {
                let report = self.import(url, file, wish, watch).await?;
                Ok(Some(Page { report, validators }))
            }
        }
    }

    async fn import(&self, url: &Url, file: File, wish: &Wish, watch: Watch<'_>) -> Result<Report> {
        // The path is what ends like a file's name; the whole address is what a report is read for.
        let name = if url.query().is_none() { url.as_str() } else { url.path() };
        let options =
            Options { max_bytes: Some(self.fetcher.limits().bytes), ..wish.options.clone() };
        let mut report = import_open(&self.catalog, name, file, &options, watch).await?;
        for bad in &mut report.bad {
            bad.file = url.to_string();
        }
        Ok(report)
    }
}

/// A repository's list of records.
struct List<'l> {
    url: &'l Url,
    set: Option<&'l str>,
    metadata: &'l str,
}

impl List<'_> {
    /// The address of a page; a token stands for all else (OAI-PMH 2.0, section 3.5).
    fn page(&self, from: Timestamp, token: Option<&str>) -> Url {
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("verb", "ListRecords");
            match token {
                Some(token) => {
                    query.append_pair("resumptionToken", token);
                }
                None => {
                    query.append_pair("metadataPrefix", self.metadata);
                    if let Some(set) = self.set {
                        query.append_pair("set", set);
                    }
                    // Days are what every repository knows.
                    if from > Timestamp::UNIX_EPOCH {
                        query.append_pair("from", &day(from).to_string());
                    }
                }
            }
        }
        url
    }
}

fn day(moment: Timestamp) -> Date {
    Offset::UTC.to_datetime(moment).date()
}

/// Settles the stretch of time of a harvest: that of one that was broken off, if it reaches back as far
/// as is asked for, else a new one.
fn begin(
    state: &mut Harvest,
    wish: &Wish,
    now: Timestamp,
    default_hours: Option<i64>,
) -> (Timestamp, Timestamp) {
    let moment = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<Timestamp>().ok());
    let last = moment(&state.from_time).zip(moment(&state.to_time));
    let ago = |hours| Since::Ago { hours }.moment(now);
    let from = match (wish.since, last) {
        (Some(since), _) => since.moment(now),
        // All that the last one has seen, and what was announced late.
        (None, Some((_, to))) if state.position.is_none() => back(to, OVERLAP_HOURS),
        (None, Some((from, _))) => from,
        (None, None) => default_hours.map_or(Timestamp::UNIX_EPOCH, ago),
    };
    if let Some((began, until)) = last
        && state.position.is_some()
        // The same wish in relative words means a later moment on the next day.
        && began <= from
    {
        tracing::info!("{}: going on where the last harvest broke off", state.source);
        return (began, until);
    }
    settle(state, from, now)
}

/// After a stretch that was settled some time ago: the one up to now, if that is an hour or more.
fn later(
    state: &mut Harvest,
    &(_, to): &(Timestamp, Timestamp),
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    (back(now, 1) > to).then(|| settle(state, back(to, OVERLAP_HOURS), now))
}

fn settle(state: &mut Harvest, from: Timestamp, to: Timestamp) -> (Timestamp, Timestamp) {
    state.position = None;
    state.from_time = Some(from.to_string());
    state.to_time = Some(to.to_string());
    (from, to)
}

fn back(moment: Timestamp, hours: i64) -> Timestamp {
    moment.checked_sub(hours.hours()).unwrap_or(Timestamp::MIN)
}
