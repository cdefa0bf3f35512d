//! What can go wrong in a request, one status each.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// An error of the site. Its text is what the visitor reads; a cause, where there is one, is logged
/// once and never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 404.
    #[error("There is no {what} `{name}` here.")]
    NotFound {
        /// Paper, run, page ...
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// 404: a page of a list beyond its end.
    #[error("This list ends with page {pages}; there is no page {page}.")]
    NoSuchPage {
        /// Page that was asked for.
        page: u32,
        /// Pages that exist.
        pages: u32,
    },
    /// 404: the paper has no study.
    #[error("The paper `{slug}` cannot be run: no study of it exists yet.")]
    NoStudy {
        /// Slug or id of the paper.
        slug: String,
    },
    /// 400.
    #[error("`{value}` is no {what}; expected {expected}.")]
    Invalid {
        /// Sort order, page, day ...
        what: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// 400: a search that cannot be read.
    #[error("The query cannot be read: {0}.")]
    Query(pressrun_search::query::QueryError),
    /// 401: nobody is signed in.
    #[error("Sign in first: {what} is for people with an account.")]
    SignIn {
        /// What was asked for.
        what: &'static str,
    },
    /// 401: a token that is none of this site, or over.
    #[error("The token does not work here; a new one is made on the page of the account.")]
    BadToken,
    /// 403.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 410: a sign-in link that was used, or is too old.
    #[error(
        "This link does not work any more: it was used already, or is older than half an hour. Ask for a \
         new one."
    )]
    LinkOver,
    /// 410: a link of the digest that this site did not make, or that is over; which of them is not told.
    #[error(
        "This link of the digest does not work. A link that confirms works for two days, and every link \
         ends with its subscription."
    )]
    DigestLink,
    /// 409: somebody else has it.
    #[error("The {what} `{value}` is taken; choose another one.")]
    Taken {
        /// Short name ...
        what: &'static str,
        /// What was given.
        value: String,
    },
    /// 429: the same thing too often.
    #[error("That was too often in a short time. Wait a little, then try again.")]
    TooOften,
    /// 409.
    #[error("The run is {state}; only a failed, cancelled or interrupted run can be restarted.")]
    NotRestartable {
        /// How the run stands.
        state: &'static str,
    },
    /// 413.
    #[error("The request is too large; at most {limit} bytes are taken.")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// 429: too many runs at once.
    #[error(
        "{limit} runs are queued or running, as many as this site takes at once. Wait until one \
         has ended, or cancel one of them on the page of runs."
    )]
    TooManyRuns {
        /// Runs that may be queued or running at once.
        limit: usize,
    },
    /// 502: what somebody else knows could not be had.
    #[error("The paper could not be looked up: {reason}.")]
    Elsewhere {
        /// Why.
        reason: String,
    },
    /// 503: too many live streams at once.
    #[error("Too many live pages are open; the page without live curves works. Try again soon.")]
    TooManyStreams,
    /// 503: the search index failed; it is built anew meanwhile.
    #[error(
        "Search does not work just now: its index is being put right. Try again soon; the lists of \
         papers are not affected."
    )]
    Search(#[source] pressrun_search::Error),
    /// Any other status that a layer of the server answers with.
    #[error("{}", of_status(*.0))]
    Status(StatusCode),
    /// 500: the catalogue failed.
    #[error("Something went wrong here. It has been noted, and trying again may help.")]
    Catalog(#[from] pressrun_catalog::Error),
    /// 500: a value could not be written as JSON.
    #[error("Something went wrong here. It has been noted, and trying again may help.")]
    Json(#[from] serde_json::Error),
}

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } | Self::NoSuchPage { .. } | Self::NoStudy { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::Invalid { .. } | Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::SignIn { .. } | Self::BadToken => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::LinkOver | Self::DigestLink => StatusCode::GONE,
            Self::NotRestartable { .. } | Self::Taken { .. } => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRuns { .. } | Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Elsewhere { .. } => StatusCode::BAD_GATEWAY,
            Self::TooManyStreams | Self::Search(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Status(status) => *status,
            Self::Catalog(_) | Self::Json(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the catalogue says about a form: its own words where the visitor can mend it.
    pub(crate) fn of_form(error: pressrun_catalog::Error) -> Self {
        match error {
            pressrun_catalog::Error::Invalid { what, value, expected } => {
                Self::Invalid { what, value, expected }
            }
            pressrun_catalog::Error::UnknownPaper { paper } => Self::no_paper(&paper),
            pressrun_catalog::Error::UnknownRun { run } => Self::no_run(&run),
            pressrun_catalog::Error::UnknownComment { number, .. } => {
                Self::NotFound { what: "comment", name: number.to_string() }
            }
            pressrun_catalog::Error::UnknownClaim { paper, .. } => {
                Self::NotFound { what: "claim of authorship", name: paper }
            }
            pressrun_catalog::Error::UnknownReply { id } => {
                Self::NotFound { what: "reply", name: id.to_string() }
            }
            pressrun_catalog::Error::NotTheirs => Self::Forbidden(
                "Only who wrote a comment can change it, and a claim of one's own others decide.",
            ),
            pressrun_catalog::Error::NotAnAuthor => Self::Forbidden(
                "Only authors of the paper can reply to a verdict, once a curator has confirmed them.",
            ),
            other => other.into(),
        }
    }

    /// No such paper.
    pub(crate) fn no_paper(name: &str) -> Self {
        Self::NotFound { what: "paper", name: name.to_owned() }
    }

    /// No such comparison.
    pub(crate) fn no_comparison(name: &str) -> Self {
        Self::NotFound { what: "comparison", name: name.to_owned() }
    }

    /// No such run.
    pub(crate) fn no_run(name: &str) -> Self {
        Self::NotFound { what: "run", name: name.to_owned() }
    }
}

fn of_status(status: StatusCode) -> String {
    let text = match status {
        StatusCode::NOT_FOUND => "There is no such page here.",
        StatusCode::METHOD_NOT_ALLOWED => "This address does not take requests of that kind.",
        StatusCode::FORBIDDEN => {
            "The request came from another site, so it was not carried out. Go to the page and use \
             its own buttons."
        }
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "The request could not be understood."
        }
        StatusCode::INTERNAL_SERVER_ERROR => {
            "Something went wrong here. It has been noted, and trying again may help."
        }
        other => {
            return other.canonical_reason().unwrap_or("The request failed").to_owned() + ".";
        }
    };
    text.to_owned()
}

/// The error of a response, for the layer that turns it into a page or into JSON, as was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Failure(pub Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}
