//! Proposing papers for the lists: by arXiv id, DOI or address, or by hand; and what curators do with it.

mod api;
mod curate;
mod view;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::Markup;
use pressrun_catalog::{
    About, ClaimState, NewPaper, Paper, Proposal, Reference, Scope, Submission, SubmissionState,
    Submitted,
};

pub(super) use self::curate::control as list_control;

use self::view::{Filled, address};
use crate::edge::viewer::{SignedIn, Viewer};
use crate::pages::form::Fields;
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/submit", get(ask).post(look_up))
        .route("/submissions", get(own).post(by_hand))
        .route("/submissions/{id}", get(one).post(edit))
        .route("/submissions/{id}/withdraw", post(withdraw))
        .route("/papers/{id}/propose", post(propose))
        .merge(curate::router())
}

pub(super) use self::api::programs;

/// What is known of a paper that somebody names.
enum Outcome {
    /// The catalogue has it.
    Known(Box<Paper>),
    /// It has come into the catalogue: whoever gives out its id says what it is.
    Brought(String),
    /// The page of somebody says this.
    Draft(Box<NewPaper>),
    /// It was not found.
    Unknown,
    /// Nobody could be asked.
    Unreachable(String),
}

/// Finds out about a paper, here and elsewhere; one that its registrar vouches for is taken in.
async fn find(site: &Site, viewer: &Viewer, reference: &Reference) -> Result<Outcome> {
    if let Some(paper) = site.catalog.paper_named(reference).await? {
        return Ok(Outcome::Known(Box::new(paper)));
    }
    let Some(finder) = &site.finder else {
        return Ok(Outcome::Unreachable("this site looks nothing up elsewhere".into()));
    };
    site.limits.look_up(viewer.person.id)?;
    match finder.find(reference).await {
        Err(reason) => Ok(Outcome::Unreachable(reason)),
        Ok(None) => Ok(Outcome::Unknown),
        Ok(Some(found)) if !found.vouched => Ok(Outcome::Draft(Box::new(found.paper))),
        Ok(Some(found)) => {
            let taken = site.catalog.upsert(&[found.paper]).await.map_err(Error::of_form)?;
            Ok(Outcome::Brought(taken.ids.into_iter().next().unwrap_or_default()))
        }
    }
}

/// Proposes a paper of the catalogue. What a curator proposes is accepted: they would have to ask
/// themselves.
async fn propose_known(site: &Site, viewer: &Viewer, paper: &str, remark: &str) -> Result<()> {
    let person = viewer.person.id;
    let proposal = Proposal::Paper(paper);
    let submitted = site.catalog.submit(person, proposal, remark).await.map_err(Error::of_form)?;
    if let (Submitted::Waiting(id), true) = (submitted, viewer.moderates()) {
        site.catalog.accept_submission(id, person, None).await.map_err(Error::of_form)?;
    }
    Ok(())
}

async fn ask() -> Markup {
    view::ask(&Filled::default(), None)
}

async fn look_up(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Response> {
    viewer.may(&site, Scope::Write)?;
    let reference: Reference = fields.get("paper").parse().map_err(Error::of_form)?;
    let says = |text: String, paper| {
        view::ask(&Filled { paper, remark: String::new() }, Some(&text)).into_response()
    };
    Ok(match find(&site, &viewer, &reference).await? {
        Outcome::Known(paper) => view::known(&paper).into_response(),
        Outcome::Brought(id) => {
            propose_known(&site, &viewer, &id, "").await?;
            Redirect::to(&link::paper(&id)).into_response()
        }
        Outcome::Draft(paper) => {
            says("This is what the page says. Correct it, then send it.".into(), *paper)
        }
        Outcome::Unknown => says(
            format!("Nothing is known under {reference}. You can state the paper by hand."),
            named(&reference),
        ),
        Outcome::Unreachable(reason) => says(
            format!("The paper could not be looked up: {reason}. You can state it by hand."),
            named(&reference),
        ),
    })
}

/// What a reference says by itself.
fn named(reference: &Reference) -> NewPaper {
    let mut paper = NewPaper::default();
    match reference.clone() {
        Reference::Arxiv(id) => paper.arxiv_id = Some(id),
        Reference::Doi(doi) => paper.doi = Some(doi),
        Reference::Page(url) => paper.project_url = Some(url),
    }
    paper
}

async fn by_hand(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Response> {
    viewer.may(&site, Scope::Write)?;
    let draft = view::read(&fields);
    let proposal = Proposal::Draft(&draft);
    let submitted = site.catalog.submit(viewer.person.id, proposal, fields.get("remark")).await;
    let id = match submitted.map_err(Error::of_form)? {
        Submitted::Waiting(id) => id,
        Submitted::Known(id) => {
            let paper = site.catalog.paper(&id).await?.ok_or_else(|| Error::no_paper(&id))?;
            return Ok(view::known(&paper).into_response());
        }
    };
    Ok(Redirect::to(&address(id)).into_response())
}

async fn own(State(site): State<Shared>, SignedIn(viewer): SignedIn) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let submissions = site.catalog.submissions_of(viewer.person.id).await?;
    Ok(view::own(&submissions))
}

fn missing(id: &str) -> Error {
    Error::NotFound { what: "submission", name: id.to_owned() }
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| missing(text))
}

/// A submission that who asks may see: their own, and for curators every one.
async fn visible(site: &Site, viewer: &Viewer, id: &str) -> Result<Submission> {
    let found = site.catalog.submission(number(id)?).await?.ok_or_else(|| missing(id))?;
    let owner = found.person.as_ref().is_some_and(|person| person.id == viewer.person.id);
    if owner || viewer.moderates() { Ok(found) } else { Err(missing(id)) }
}

async fn one(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let submission = visible(&site, &viewer, &id).await?;
    Ok(view::one(&submission, &viewer))
}

async fn edit(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    let number = number(&id)?;
    let (draft, remark) = (view::read(&fields), fields.get("remark"));
    let edited = site.catalog.edit_submission(number, viewer.person.id, &draft, remark).await;
    if !edited.map_err(Error::of_form)? {
        return Err(missing(&id));
    }
    Ok(Redirect::to(&address(number)))
}

async fn withdraw(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    if !site.catalog.withdraw_submission(number(&id)?, viewer.person.id).await? {
        return Err(missing(&id));
    }
    Ok(Redirect::to("/submissions"))
}

async fn propose(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    propose_known(&site, &viewer, &id, fields.get("remark")).await?;
    Ok(Redirect::to("/submissions"))
}

/// Whether who asks may set the links of a paper: its confirmed authors, who proposed it, and curators.
async fn may_link(site: &Site, viewer: &Viewer, paper: &str) -> Result<()> {
    viewer.may(site, Scope::Write)?;
    if viewer.moderates() {
        return Ok(());
    }
    let person = viewer.person.id;
    let submitters = site.catalog.submitters(&[paper]).await?;
    let own = submitters.get(paper).is_some_and(|submitter| submitter.id == person);
    let claim = site.catalog.claim_to(paper, person).await?;
    if own || claim.is_some_and(|claim| claim.state == ClaimState::Confirmed) {
        return Ok(());
    }
    Err(Error::Forbidden(
        "The links of a paper are set by its authors, by who proposed it, and by curators.",
    ))
}

/// How a submission stands, in a word or two.
fn standing(submission: &Submission) -> &'static str {
    match (submission.state, &submission.about) {
        (SubmissionState::Waiting, _) => "waits for a curator",
        (SubmissionState::Accepted, About::Paper { .. }) => "is in the catalogue",
        (state, _) => state.name(),
    }
}
