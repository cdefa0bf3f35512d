//! Claims of authorship, and what authors say about verdicts.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use pressrun_catalog::{Audience, ClaimState, NewVerdictReply, Paper, Scope, VerdictReply};

use super::change::reason_field;
use super::{audience, check_length, paper_of, previewed, view};
use crate::edge::viewer::{self, SignedIn};
use crate::pages::form::Fields;
use crate::params::{Pairs, Params};
use crate::site::{Shared, Site};
use crate::view::claims::Said;
use crate::view::{Nav, Page, badge, date, link};
use crate::{Error, Result};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/papers/{id}/claim", get(claiming).post(claim))
        .route("/papers/{id}/claims/{claim}/reply", get(replying).post(reply))
        .route("/moderation/replies/{id}", get(hiding))
}

async fn claiming(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let paper = paper_of(&site, &id).await?;
    let known = site.catalog.claim_to(&paper.id, viewer.person.id).await?;
    let title = "I am an author of this paper";
    let body = html! {
        div.narrow {
            h1 { (title) }
            p { a href=(link::paper(&paper.id)) { (paper.title) } }
            @match known.as_ref().map(|claim| claim.state) {
                Some(ClaimState::Confirmed) => p { "A curator has confirmed it." },
                Some(ClaimState::Refused) => p {
                    "A curator has looked at your claim and could not confirm it."
                },
                Some(ClaimState::Claimed) => {
                    p { "Your claim waits for a curator. You may still change it." }
                    (claim_form(&paper, &viewer.person.name))
                }
                None => (claim_form(&paper, &viewer.person.name)),
            }
        }
    };
    Ok(Page::new(title, Nav::Papers, body).render())
}

fn claim_form(paper: &Paper, name: &str) -> Markup {
    let place = link::paper(&paper.id);
    html! {
        form.stack method="post" action={ (place) "/claim" } {
            label for="author" { "Which author" }
            @if paper.authors.is_empty() {
                input #author name="author" required maxlength="200" value=(name);
            } @else {
                select #author name="author" {
                    @for author in &paper.authors {
                        option value=(author) selected[author.eq_ignore_ascii_case(name)] { (author) }
                    }
                }
            }
            label for="proof" { "By what a curator can see it" }
            textarea #proof name="proof" rows="3" maxlength="1000" aria-describedby="proof-form" {}
            p.fine #proof-form {
                "An address on your homepage, your ORCID, an institution. Only curators read it."
            }
            button.button { "Claim it" }
        }
    }
}

async fn claim(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    let paper = paper_of(&site, &id).await?;
    claim_as(&site, &paper, viewer.person.id, fields.get("author"), fields.get("proof")).await?;
    Ok(Redirect::to(&format!("{}/claim", link::paper(&paper.id))))
}

/// Claims a paper under the name of one of its authors.
pub(super) async fn claim_as(
    site: &Site,
    paper: &Paper,
    person: i64,
    author: &str,
    proof: &str,
) -> Result<ClaimState> {
    if !paper.authors.is_empty() && !paper.authors.iter().any(|name| name == author.trim()) {
        let value = author.chars().take(80).collect();
        let expected = "the name of one of its authors, as the paper's page has it";
        return Err(Error::Invalid { what: "author of this paper", value, expected });
    }
    site.limits.comment(person)?;
    let claimed = site.catalog.claim_paper(&paper.id, person, author, proof).await;
    claimed.map_err(Error::of_form)
}

/// What authors say about the verdicts of a record, for a page that shows them.
#[derive(Debug, Default)]
pub(in crate::pages) struct Replies {
    paper: String,
    run: String,
    all: Vec<(VerdictReply, Markup)>,
    /// Whether who asks is a confirmed author.
    may_reply: bool,
    moderates: bool,
}

impl Replies {
    /// Those to the verdicts of the record of that run.
    pub(in crate::pages) async fn of(site: &Site, paper: &str, run: &str) -> Result<Self> {
        let viewer = viewer::current();
        let all = site.catalog.verdict_replies(run, audience()).await?;
        let may_reply = match &viewer {
            Some(viewer) if !viewer.person.blocked => {
                let claim = site.catalog.claim_to(paper, viewer.person.id).await?;
                claim.is_some_and(|claim| claim.state == ClaimState::Confirmed)
            }
            _ => false,
        };
        let shown = |reply: VerdictReply| {
            let said = view::said(&site.prose.html(&reply.text, &[], ""));
            (reply, said)
        };
        Ok(Self {
            paper: paper.to_owned(),
            run: run.to_owned(),
            all: all.into_iter().map(shown).collect(),
            may_reply,
            moderates: viewer.is_some_and(|viewer| viewer.moderates()),
        })
    }

    /// What stands beside the outcome of a claim and below it.
    pub(in crate::pages) fn said(&self, claim: &str) -> Said {
        Said { badge: self.badge(claim), below: self.below(claim) }
    }

    fn badge(&self, claim: &str) -> Markup {
        let disputed = self.about(claim).any(|(reply, _)| !reply.superseded && reply.disputed);
        html! { @if disputed { (badge::note("disputed", "disputed by an author")) } }
    }

    fn below(&self, claim: &str) -> Markup {
        let (now, before): (Vec<_>, Vec<_>) =
            self.about(claim).partition(|(reply, _)| !reply.superseded);
        html! {
            @for (reply, said) in now { (self.one(reply, said)) }
            @if !before.is_empty() {
                details { summary { "What was said before" }
                    @for (reply, said) in before { (self.one(reply, said)) }
                }
            }
            @if self.may_reply && !self.run.is_empty() {
                p.actions {
                    a href={ (link::paper(&self.paper)) "/claims/" (link::segment(claim)) "/reply?run="
                        (link::segment(&self.run)) } { "Reply to the verdict of " (claim) }
                }
            }
        }
    }

    fn about<'a>(&'a self, claim: &'a str) -> impl Iterator<Item = &'a (VerdictReply, Markup)> {
        self.all.iter().filter(move |(reply, _)| reply.claim == claim)
    }

    fn one(&self, reply: &VerdictReply, said: &Markup) -> Markup {
        let id = format!("reply-{}", reply.id);
        html! {
            div.reply.box id=(id) {
                @match &reply.by {
                    Some(by) => {
                        p.by {
                            (view::speaker(by))
                            a.when href={ "#" (id) } { (date::moment(reply.at)) }
                            @if reply.disputed { strong { "disputes this verdict" } }
                        }
                        @if let Some(hidden) = &reply.hidden {
                            p.fine { "Hidden from others by a curator: " (hidden.reason) }
                        }
                        (said)
                        @if self.moderates && reply.hidden.is_none() {
                            p.actions { a href={ "/moderation/replies/" (reply.id) } { "Hide" } }
                        }
                    }
                    None => p.gone {
                        "A curator has hidden this reply"
                        @if let Some(hidden) = &reply.hidden { ": " (hidden.reason) }
                    },
                }
            }
        }
    }
}

async fn hiding(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(id): Path<String>,
) -> Result<Markup> {
    if !viewer.moderates() {
        viewer.may(&site, Scope::Manage)?;
    }
    let number: i64 =
        id.parse().map_err(|_| Error::NotFound { what: "reply", name: id.clone() })?;
    let body = html! {
        div.narrow {
            h1 { "Hide a reply to a verdict" }
            form.stack method="post" action="/moderation/replies" {
                input type="hidden" name="id" value=(number);
                input type="hidden" name="hidden" value="1";
                (reason_field("Why, for everybody to read"))
                button.button { "Hide it" }
            }
        }
    };
    Ok(Page::new("Hide a reply to a verdict", Nav::Elsewhere, body).render())
}

async fn replying(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, claim)): Path<(String, String)>,
    Query(pairs): Query<Pairs>,
) -> Result<Markup> {
    viewer.may(&site, Scope::Read)?;
    let paper = paper_of(&site, &id).await?;
    let params = Params(pairs);
    let run = params.value("run").unwrap_or_default();
    verdict(&site, &paper, run, &claim).await?;
    let known = site.catalog.verdict_replies(run, Audience::Person(viewer.person.id)).await?;
    let mine = known.iter().find(|reply| {
        let by = reply.by.as_ref().map(|by| by.id);
        reply.claim == claim && by == Some(viewer.person.id)
    });
    let (text, disputed) = mine.map_or(("", false), |reply| (reply.text.as_str(), reply.disputed));
    let body = reply_form(&site, &paper, run, &claim, (text, disputed), &html! {});
    Ok(Page::new("Reply to a verdict", Nav::Papers, body).render())
}

fn reply_form(
    site: &Site,
    paper: &Paper,
    run: &str,
    claim: &str,
    (text, disputed): (&str, bool),
    preview: &Markup,
) -> Markup {
    let entry = paper.slug.as_deref().and_then(|slug| site.library.get(slug));
    let claims = entry.map(|entry| entry.manifest.claims.as_slice()).unwrap_or_default();
    let wording = claims.iter().find(|known| known.id == claim);
    html! {
        div.narrow {
            h1 { "Reply to the verdict of " (claim) }
            p { a href={ (link::paper(&paper.id)) "#" (link::anchor(claim)) } { (paper.title) } }
            @if let Some(claim) = wording { blockquote.box { (claim.text) } }
            (preview)
            form.stack method="post"
                action={ (link::paper(&paper.id)) "/claims/" (link::segment(claim)) "/reply" } {
                input type="hidden" name="run" value=(run);
                (view::text_field("What you, as an author, say to it", text))
                label.check {
                    input type="checkbox" name="disputed" value="1" checked[disputed];
                    "I dispute the verdict" span.fine { "shown beside the outcome" }
                }
                div.buttons {
                    button.button name="do" value="post" { "Post" }
                    button.button.second name="do" value="preview" { "Preview" }
                }
                p.fine {
                    "What is posted stays: a newer reply of yours takes its place, and the older one can "
                    "still be read."
                }
            }
        }
    }
}

/// Fails unless the paper has a record of that run with a verdict of that claim.
async fn verdict(site: &Site, paper: &Paper, run: &str, claim: &str) -> Result<()> {
    let record = site.catalog.record(run).await?;
    let record = record.filter(|record| Some(&record.slug) == paper.slug.as_ref());
    let record = record.ok_or_else(|| Error::no_run(run))?;
    let known = record.verdicts.iter().any(|verdict| verdict.claim == claim);
    let missing = || Error::NotFound { what: "verdict of claim", name: claim.to_owned() };
    if known { Ok(()) } else { Err(missing()) }
}

async fn reply(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path((id, claim)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response> {
    viewer.may(&site, Scope::Write)?;
    let paper = paper_of(&site, &id).await?;
    let (text, run) = (fields.get("text"), fields.get("run"));
    let disputed = fields.get("disputed") == "1";
    verdict(&site, &paper, run, &claim).await?;
    check_length(text)?;
    if fields.get("do") == "preview" {
        let said = previewed(&site, text).await?;
        let preview = html! { h2 { "Preview" } div.box.preview { (said) } };
        let body = reply_form(&site, &paper, run, &claim, (text, disputed), &preview);
        let page = Page::new("Preview of a reply", Nav::Papers, body);
        return Ok(page.render().into_response());
    }
    site.limits.comment(viewer.person.id)?;
    let new = NewVerdictReply {
        paper: paper.id.clone(),
        run: run.to_owned(),
        claim: claim.clone(),
        person: viewer.person.id,
        disputed,
        text: text.to_owned(),
    };
    site.catalog.reply_to_verdict(&new).await.map_err(Error::of_form)?;
    let place = format!("{}#{}", link::paper(&paper.id), link::anchor(&claim));
    Ok(Redirect::to(&place).into_response())
}
