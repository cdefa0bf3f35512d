//! One paper, by what somebody calls it.

use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use pressrun_catalog::import::{self, Options};
use pressrun_catalog::{Finder, Finding, Found, NewPaper, Reference};
use url::Url;

use crate::harvest::ARXIV;
use crate::source::http;
use crate::{Answer, Error, Fetcher, Limits, Result, Validators, csl, page};

/// Where DOIs lead, and where their registrars say what they stand for.
const DOI: &str = "https://doi.org/";

/// Looks papers up: arXiv ids at arXiv, DOIs at their registrars, addresses at the page itself, and at
/// arXiv or the registrar if the page states an id.
#[derive(Debug, Clone)]
pub struct Lookup {
    fetcher: Fetcher,
    arxiv: Url,
    doi: Url,
}

impl Lookup {
    /// Bounds for somebody who waits for a page.
    pub fn limits() -> Limits {
        Limits {
            bytes: 8 << 20,
            patience: Duration::from_secs(8),
            time: Duration::from_secs(15),
            tries: 2,
            wait: Duration::from_secs(3),
            ..Limits::default()
        }
    }

    /// One that asks arXiv and the registrars where they are.
    ///
    /// # Panics
    /// Never: the addresses are constants.
    pub fn new(fetcher: Fetcher) -> Self {
        let url = |text: &str| Url::parse(text).expect("a constant address is valid");
        Self { fetcher, arxiv: url(ARXIV), doi: url(DOI) }
    }

    /// Asks other servers: mirrors, or a test's.
    ///
    /// # Errors
    /// [`Error::Address`] for what is none of http or https.
    pub fn with_servers(self, arxiv: Option<&str>, doi: Option<&str>) -> Result<Self> {
        Ok(Self {
            arxiv: arxiv.map_or(Ok(self.arxiv), http)?,
            doi: doi.map_or(Ok(self.doi), http)?,
            ..self
        })
    }

    /// What is said elsewhere about a paper; `None` if there is no such paper.
    ///
    /// # Errors
    /// Those of fetching, and [`Error::Source`] for an answer that says nothing of a paper.
    pub async fn look_up(&self, reference: &Reference) -> Result<Option<Found>> {
        let found = match reference {
            Reference::Arxiv(id) => self.arxiv(id).await?,
            Reference::Doi(doi) => self.doi(doi).await?,
            Reference::Page(url) => {
                let Some(paper) = self.page(url).await? else { return Ok(None) };
                // Whoever gives out the ids knows better, and answers for it.
                let better = match (&paper.arxiv_id, &paper.doi) {
                    (Some(id), _) => self.arxiv(id).await?,
                    (None, Some(doi)) => self.doi(doi).await.unwrap_or_default(),
                    (None, None) => None,
                };
                let draft = Found { paper, vouched: false };
                return Ok(Some(better.map_or(draft, |paper| Found { paper, vouched: true })));
            }
        };
        Ok(found.map(|paper| Found { paper, vouched: true }))
    }

    async fn arxiv(&self, id: &str) -> Result<Option<NewPaper>> {
        let mut url = self.arxiv.clone();
        url.query_pairs_mut().append_pair("id_list", id).append_pair("max_results", "1");
        let Some(file) = self.fetch(&self.fetcher, &url).await? else { return Ok(None) };
        let mut found = None;
        let options =
            Options { max_bytes: Some(self.fetcher.limits().bytes), ..Options::default() };
        // It answers with an entry that says so for an id that it does not know.
        import::read_open(url.path(), file, &options, &mut |entry| {
            found = found.take().or(entry.ok());
        })?;
        Ok(found.filter(|paper| paper.arxiv_id.as_deref() == Some(id)))
    }

    async fn doi(&self, doi: &str) -> Result<Option<NewPaper>> {
        let mut url = self.doi.clone();
        // Segment by segment: a DOI may hold what an address gives a meaning.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(doi.split('/'));
        }
        let fetcher = self.fetcher.clone().accepting(csl::CSL);
        let Some(file) = self.fetch(&fetcher, &url).await? else { return Ok(None) };
        let bytes = whole(&url, file)?;
        let paper = csl::paper(&bytes, doi);
        paper.map(Some).map_err(|reason| Error::Source { source_name: url.into(), reason })
    }

    async fn page(&self, url: &str) -> Result<Option<NewPaper>> {
        let url = http(url)?;
        let fetcher = self.fetcher.clone().accepting("text/html, application/xhtml+xml");
        let Some(file) = self.fetch(&fetcher, &url).await? else { return Ok(None) };
        let bytes = whole(&url, file)?;
        let paper = page::paper(&bytes);
        paper.map(Some).map_err(|reason| Error::Source { source_name: url.into(), reason })
    }

    /// A document; `None` if the server says that there is none.
    async fn fetch(&self, fetcher: &Fetcher, url: &Url) -> Result<Option<File>> {
        match fetcher.fetch(url, &Validators::default()).await {
            Ok(Answer::File(file, _)) => Ok(Some(file)),
            Ok(Answer::Unchanged) | Err(Error::Status { status: 404 | 410, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn whole(url: &Url, mut file: File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.map_err(|error| Error::Broken { url: url.to_string(), reason: error.to_string() })?;
    Ok(bytes)
}

impl Finder for Lookup {
    fn find<'f>(&'f self, reference: &'f Reference) -> Finding<'f> {
        Box::pin(async { self.look_up(reference).await.map_err(|error| error.to_string()) })
    }
}
