//! The tools: search, list, read, run, record.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use pressrun_catalog::{Catalog, ListQuery, Paper, Period, Sort};
use pressrun_lab::{
    Cancel, Child, ChildSpec, Ended, Entry, Event, Library, Limits, Outcome, Profile, Record,
    new_run_id,
};
use pressrun_search::{Index, Request, Vectors};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::McpArgs;
use crate::commands::{catalog, library, search, serve};
use crate::text;

/// Most papers of one answer.
const MOST: usize = 100;

/// A call whose arguments are right.
#[derive(Debug)]
pub(super) enum Call {
    Search(SearchFor),
    List(List),
    Read(Read),
    Run(Run),
    Record(RecordOf),
}

/// Arguments of `search`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchFor {
    /// Words and conditions: `sparse experts year:2021.. -dropout has:run author:hinton`.
    query: String,
    /// Most papers.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

/// Arguments of `list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// `2025-09-09`, `2025-W37`, `2025-09`, `2025` or `all`.
    #[serde(default = "all")]
    period: String,
    /// `date`, `votes`, `trending`, `comments`, `verdict` or `title`.
    #[serde(default = "date")]
    sort: String,
    /// Page, from 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    page: u32,
    /// Papers a page.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

/// Arguments of `read`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    /// Id, arXiv id or slug of a paper.
    paper: String,
}

/// Arguments of `run`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    /// Id, arXiv id or slug of a paper that runs.
    paper: String,
    /// `quick` takes at most 20 seconds on two cores, `full` at most 10 minutes.
    #[serde(default = "quick")]
    profile: Profile,
    /// Number of seeds; the profile's own if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    seeds: Option<u64>,
}

/// Arguments of `record`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordOf {
    /// Id, arXiv id or slug of a paper: its newest full record, else its newest quick one.
    #[serde(default)]
    paper: Option<String>,
    /// A run, in place of a paper: the record of that run.
    #[serde(default)]
    run: Option<String>,
    /// Whether the curves of training are part of the answer; they are long.
    #[serde(default)]
    curves: bool,
}

fn one() -> u32 {
    1
}

fn ten() -> usize {
    10
}

fn all() -> String {
    "all".into()
}

fn date() -> String {
    "date".into()
}

fn quick() -> Profile {
    Profile::Quick
}

/// The tools as a client is told of them.
pub(super) fn described() -> Value {
    let tool = |name: &str, title: &str, text: &str, schema: schemars::Schema, reads: bool| {
        json!({
            "name": name,
            "title": title,
            "description": text,
            "inputSchema": schema,
            "annotations": {
                "title": title, "readOnlyHint": reads, "destructiveHint": false,
                "idempotentHint": reads, "openWorldHint": false,
            },
        })
    };
    json!([
        tool(
            "search",
            "Search papers",
            "Searches the site's papers by words and by meaning; the best come first.",
            schema_for!(SearchFor),
            true
        ),
        tool(
            "list",
            "List papers",
            "Lists the papers of a day, week or month, or all, in one of several orders.",
            schema_for!(List),
            true
        ),
        tool(
            "read",
            "Read a paper",
            "A paper as Markdown: authors, abstract, its claims and what came out for each.",
            schema_for!(Read),
            true
        ),
        tool(
            "run",
            "Run a paper",
            "Trains the paper's method beside its baselines on this machine and compares what was \
             measured with what the paper claims. Runs go one after the other.",
            schema_for!(Run),
            false
        ),
        tool(
            "record",
            "Record of a run",
            "All that an earlier run measured: verdicts, results, machine and software.",
            schema_for!(RecordOf),
            true
        ),
    ])
}

impl Call {
    /// The call of that name; why not, if the arguments do not fit.
    pub(super) fn read(name: &str, arguments: Value) -> Result<Self, String> {
        fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
            serde_json::from_value(arguments).map_err(|error| format!("arguments: {error}"))
        }
        let within = |limit: usize| match limit {
            1..=MOST => Ok(()),
            _ => Err(format!("`limit` is {limit}; expected a number from 1 to {MOST}")),
        };
        Ok(match name {
            "search" => {
                let given: SearchFor = parse(arguments)?;
                within(given.limit)?;
                Self::Search(given)
            }
            "list" => {
                let given: List = parse(arguments)?;
                within(given.limit)?;
                Self::List(given)
            }
            "read" => Self::Read(parse(arguments)?),
            "run" => {
                let given: Run = parse(arguments)?;
                if given.seeds.is_some_and(|seeds| !(1..=100).contains(&seeds)) {
                    return Err("`seeds`: expected a number from 1 to 100".into());
                }
                Self::Run(given)
            }
            "record" => Self::Record(parse(arguments)?),
            _ => return Err(format!("there is no tool `{name}` here")),
        })
    }
}

/// What the tools work on.
pub(super) struct Tools {
    catalog: Catalog,
    library: Arc<Library>,
    vectors: Vectors,
    index: PathBuf,
    data_dir: Option<PathBuf>,
    /// Held while a run goes on: a second one beside it would slow down both.
    running: tokio::sync::Mutex<()>,
}

/// Text for the model, and the same as JSON.
type Answer = Result<(String, Option<Value>)>;

impl Tools {
    /// Opens the site's folder; a site may be running on it.
    pub(super) async fn open(args: &McpArgs) -> Result<Self> {
        let library = Arc::new(library()?);
        let catalog = catalog(&args.site.data).await?;
        serve::shelve(&catalog, &library).await?;
        Ok(Self {
            catalog,
            library,
            vectors: search::vectors(&args.embedder)?,
            index: search::folder(&args.site.data),
            data_dir: args.data_sets.data_dir.clone(),
            running: tokio::sync::Mutex::new(()),
        })
    }

    /// Carries out a call.
    pub(super) async fn call(
        &self,
        call: Call,
        cancel: &Cancel,
        progress: impl Fn(u64, u64) + Send + 'static,
    ) -> Answer {
        match call {
            Call::Search(given) => self.search(given).await,
            Call::List(given) => self.list(given).await,
            Call::Read(given) => self.read(&given.paper).await,
            Call::Run(given) => self.run(given, cancel, progress).await,
            Call::Record(given) => self.record(given).await,
        }
    }

    async fn search(&self, given: SearchFor) -> Answer {
        let request = Request {
            limit: given.limit,
            runs: Arc::clone(&self.library) as _,
            ..Request::new(given.query.parse()?)
        };
        let (folder, vectors) = (self.index.clone(), self.vectors.clone());
        let found = tokio::task::spawn_blocking(move || {
            // Opened for each search, so that it is as new as the site's.
            let index = Index::open(&folder, vectors)
                .context("opening the index; `pressrun index` builds it, `pressrun serve` too")?;
            anyhow::Ok(index.search(&request)?)
        });
        let results = found.await??;
        let ids: Vec<String> = results.hits.iter().map(|hit| hit.id.clone()).collect();
        let papers = self.catalog.papers_of(&ids).await?;
        Ok(self.papers(&papers, results.total as u64))
    }

    async fn list(&self, given: List) -> Answer {
        let period: Period = given.period.parse()?;
        let sort: Sort = given.sort.parse()?;
        let per_page = u32::try_from(given.limit).unwrap_or(u32::MAX);
        let page = given.page.max(1);
        let list = self.catalog.list(&ListQuery { period, sort, page, per_page }).await?;
        Ok(self.papers(&list.papers, list.total))
    }

    fn papers(&self, papers: &[Paper], total: u64) -> (String, Option<Value>) {
        let mut text = format!("{total} papers, {} of them here.\n", papers.len());
        for paper in papers {
            let when = paper.published.as_deref().unwrap_or("no date");
            let runs = if self.runs(paper) { ", runs here" } else { "" };
            // Writing to a string never fails.
            let _ = writeln!(text, "- [{}] {} ({when}{runs})", paper.id, paper.title);
        }
        let papers: Vec<Value> = papers.iter().map(|paper| self.short(paper)).collect();
        (text, Some(json!({ "total": total, "papers": papers })))
    }

    fn short(&self, paper: &Paper) -> Value {
        json!({
            "id": paper.id, "title": paper.title, "authors": paper.authors,
            "published": paper.published, "listed": paper.listed, "slug": paper.slug,
            "runs": self.runs(paper), "verdicts": paper.verdicts, "votes": paper.votes,
            "comments": paper.comments,
        })
    }

    fn runs(&self, paper: &Paper) -> bool {
        paper.slug.as_deref().is_some_and(|slug| self.library.runnable(slug).is_ok())
    }

    async fn paper(&self, id: &str) -> Result<Paper> {
        let paper = self.catalog.paper(id).await?;
        paper.with_context(|| format!("there is no paper `{id}`; `search` and `list` tell ids"))
    }

    async fn newest(&self, paper: &Paper) -> Result<Option<Record>> {
        match &paper.slug {
            Some(slug) => Ok(self.catalog.latest_record(slug).await?),
            None => Ok(None),
        }
    }

    async fn read(&self, id: &str) -> Answer {
        let paper = self.paper(id).await?;
        let entry = paper.slug.as_deref().and_then(|slug| self.library.get(slug));
        let record = self.newest(&paper).await?;
        Ok((self.page(&paper, entry, record.as_ref()), None))
    }

    fn page(&self, paper: &Paper, entry: Option<&Entry>, record: Option<&Record>) -> String {
        let mut text = format!("# {}\n\n{}\n\n", paper.title, paper.authors.join(", "));
        let facts = [
            ("id", Some(paper.id.as_str())),
            ("published", paper.published.as_deref()),
            ("venue", paper.venue.as_deref()),
            ("doi", paper.doi.as_deref()),
            ("code", paper.code_url.as_deref()),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                let _ = writeln!(text, "- {name}: {value}");
            }
        }
        if !paper.summary.is_empty() {
            let _ = write!(text, "\n## Abstract\n\n{}\n", paper.summary);
        }
        let Some(entry) = entry else { return text };
        let _ = write!(text, "\n## Claims\n\n");
        for claim in &entry.manifest.claims {
            let verdict = record.and_then(|r| r.verdicts.iter().find(|v| v.claim == claim.id));
            let outcome = verdict.map_or(Outcome::NotTested, |verdict| verdict.outcome).label();
            let _ = writeln!(text, "- {} ({}), {outcome}: {}", claim.id, claim.source, claim.text);
        }
        let runs = if self.runs(paper) { "runs" } else { "does not run" };
        let _ = write!(text, "\nThis paper {runs} here.\n");
        text
    }

    async fn run(
        &self,
        given: Run,
        cancel: &Cancel,
        progress: impl Fn(u64, u64) + Send + 'static,
    ) -> Answer {
        let paper = self.paper(&given.paper).await?;
        let Some(slug) = paper.slug.filter(|slug| self.library.runnable(slug).is_ok()) else {
            bail!("the paper `{}` does not run here; `search` for `has:run`", paper.id);
        };
        let _one_at_a_time = self.running.lock().await;
        if cancel.is_cancelled() {
            bail!("cancelled");
        }
        let spec = ChildSpec {
            program: std::env::current_exe().context("finding this program")?,
            arguments: vec!["run-child".into()],
            slug: slug.clone(),
            profile: given.profile,
            seeds: given.seeds,
            run_id: new_run_id(),
            data_dir: self.data_dir.clone(),
            limits: Limits::default(),
        };
        let child = Child::spawn(&spec, cancel)?;
        let ended = tokio::task::spawn_blocking(move || {
            child.follow(|event| {
                if let Event::Progress { done, total } = event {
                    progress(*done, *total);
                }
            })
        });
        match ended.await? {
            Ended::Finished(record) => {
                self.catalog.add_record(&record).await?;
                self.shown(*record, false)
            }
            Ended::Cancelled => bail!("cancelled"),
            Ended::Failed(reason) => bail!("the run failed: {reason}"),
        }
    }

    async fn record(&self, given: RecordOf) -> Answer {
        let record = match (&given.paper, &given.run) {
            (Some(id), None) => {
                let paper = self.paper(id).await?;
                let record = self.newest(&paper).await?;
                record
                    .with_context(|| format!("the paper `{id}` has no record; `run` makes one"))?
            }
            (None, Some(run)) => {
                let record = self.catalog.record(run).await?;
                record.with_context(|| format!("there is no record of a run `{run}`"))?
            }
            _ => bail!("expected either `paper` or `run`"),
        };
        self.shown(record, given.curves)
    }

    fn shown(&self, record: Record, curves: bool) -> Answer {
        let mut text = format!("Run {}\n", record.run);
        if let Some(entry) = self.library.get(&record.slug) {
            text.push_str(&text::record(entry, &record));
        }
        let mut value = serde_json::to_value(&record)?;
        if !curves && let Some(fields) = value.as_object_mut() {
            fields.remove("curves");
        }
        Ok((text, Some(value)))
    }
}
