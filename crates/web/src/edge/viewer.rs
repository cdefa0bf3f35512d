//! Who asks: the person of a session or of a token.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use pressrun_catalog::{Audience, LibraryState, Paper, Person, Role, Scope, Secret};

use crate::site::{Shared, Site};
use crate::{Error, Result};

/// The name of the cookie that holds a session.
pub(crate) const SESSION: &str = "pressrun_session";

tokio::task_local! {
    /// Who asks, for the parts of a page that every page has.
    static VIEWER: Option<Arc<Viewer>>;
}

/// Somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub person: Person,
    /// The session; `None` for a program with a token.
    pub session: Option<Secret>,
    /// What a token may be used for; a session may everything.
    scopes: Option<Vec<Scope>>,
    /// Of the papers on this page, those that the person has voted for.
    voted: Mutex<HashSet<String>>,
    /// How those of them stand that the person has in their library.
    kept: Mutex<HashMap<String, LibraryState>>,
}

impl Viewer {
    /// Fails unless the person may do this, and a token with it.
    ///
    /// # Errors
    /// [`Error::Forbidden`], and [`Error::TooOften`] for what writes.
    pub(crate) fn may(&self, site: &Site, scope: Scope) -> Result<()> {
        if self.scopes.as_ref().is_some_and(|scopes| !scopes.contains(&scope)) {
            return Err(Error::Forbidden(match scope {
                Scope::Read => "The token lacks the scope `read`.",
                Scope::Write => "The token lacks the scope `write`.",
                Scope::Run => "The token lacks the scope `run`.",
                Scope::Manage => "The token lacks the scope `manage`.",
            }));
        }
        if scope != Scope::Read {
            if self.person.blocked {
                return Err(Error::Forbidden("This account may read, and no longer write."));
            }
            site.limits.act(self.person.id)?;
        }
        if scope == Scope::Manage && self.person.role < Role::Curator {
            return Err(Error::Forbidden("This is for curators and administrators."));
        }
        Ok(())
    }

    /// Whether the person looks after what others write, and a token may do so for them.
    pub(crate) fn moderates(&self) -> bool {
        let scoped = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&Scope::Manage));
        scoped && !self.person.blocked && self.person.role >= Role::Curator
    }

    /// For whom this person's requests read.
    pub(crate) fn audience(&self) -> Audience {
        let reads = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&Scope::Read));
        match (self.moderates(), reads) {
            (true, _) => Audience::Curators,
            (false, true) => Audience::Person(self.person.id),
            (false, false) => Audience::Public,
        }
    }

    /// Fails for a token: accounts are changed in a browser only.
    ///
    /// # Errors
    /// [`Error::Forbidden`]
    pub(crate) fn in_person(&self) -> Result<&Secret> {
        let session = self.session.as_ref();
        session
            .ok_or(Error::Forbidden("A token cannot change the account; sign in with a browser."))
    }
}

/// Who asks, while a page is made.
pub(crate) fn current() -> Option<Arc<Viewer>> {
    VIEWER.try_with(Clone::clone).ok().flatten()
}

/// Whether who asks has voted for a paper of this page.
pub(crate) fn has_voted(paper: &str) -> bool {
    current().is_some_and(|viewer| {
        viewer.voted.lock().unwrap_or_else(PoisonError::into_inner).contains(paper)
    })
}

/// Finds out which papers of a page who asks has voted for.
pub(crate) async fn know_votes(
    site: &Site,
    papers: impl Iterator<Item = &Paper> + Send,
) -> Result<()> {
    let Some(viewer) = current() else { return Ok(()) };
    let ids: Vec<&str> = papers.map(|paper| paper.id.as_str()).collect();
    let voted = site.catalog.voted_for(viewer.person.id, &ids).await?;
    viewer.voted.lock().unwrap_or_else(PoisonError::into_inner).extend(voted);
    Ok(())
}

/// How a paper of this page stands in the library of who asks; `None` if it is not in it.
pub(crate) fn kept_as(paper: &str) -> Option<LibraryState> {
    let viewer = current()?;
    viewer.kept.lock().unwrap_or_else(PoisonError::into_inner).get(paper).copied()
}

/// Finds out which papers of a page who asks has in their library.
pub(crate) async fn know_library(
    site: &Site,
    papers: impl Iterator<Item = &Paper> + Send,
) -> Result<()> {
    let Some(viewer) = current() else { return Ok(()) };
    // A token that may not read the library does not see it on pages either.
    if viewer.may(site, Scope::Read).is_err() {
        return Ok(());
    }
    let ids: Vec<&str> = papers.map(|paper| paper.id.as_str()).collect();
    let states = site.catalog.library_states(viewer.person.id, &ids).await?;
    viewer.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(states);
    Ok(())
}

/// Finds out who asks.
pub(super) async fn know(State(site): State<Shared>, mut request: Request, next: Next) -> Response {
    let viewer = match viewer(&site, request.headers()).await {
        Ok(viewer) => viewer.map(Arc::new),
        Err(error) => return error.into_response(),
    };
    if let Some(viewer) = &viewer {
        request.extensions_mut().insert(Arc::clone(viewer));
    }
    let mut response = VIEWER.scope(viewer.clone(), next.run(request)).await;
    if let Some(viewer) = viewer {
        let headers = response.headers_mut();
        // The page is this person's: nobody in between may keep it for others.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
        // For the layer that makes pages of errors.
        response.extensions_mut().insert(viewer);
    }
    response
}

/// Makes a part of an answer outside of the layer, for who asked.
pub(super) fn within<T>(response: &Response, make: impl FnOnce() -> T) -> T {
    VIEWER.sync_scope(response.extensions().get::<Arc<Viewer>>().cloned(), make)
}

async fn viewer(site: &Site, headers: &HeaderMap) -> Result<Option<Viewer>> {
    let new = |person, session, scopes| Viewer {
        person,
        session,
        scopes,
        voted: Mutex::default(),
        kept: Mutex::default(),
    };
    if let Some(given) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        // Clients send other things as well, such as a proxy's password: these are not ours.
        let Some(text) = given.strip_prefix("Bearer ") else { return Ok(None) };
        let secret = Secret::read(text.trim()).ok_or(Error::BadToken)?;
        let (person, scopes) = site.catalog.token(&secret).await?.ok_or(Error::BadToken)?;
        return Ok(Some(new(person, None, Some(scopes))));
    }
    let Some(secret) = session(headers) else { return Ok(None) };
    let person = site.catalog.session(&secret).await?;
    Ok(person.map(|person| new(person, Some(secret), None)))
}

/// The session that a browser sends along.
fn session(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == SESSION);
    values.find_map(|(_, value)| Secret::read(value.trim()))
}

/// Somebody signed in, who is needed.
#[derive(Debug)]
pub(crate) struct SignedIn(pub Arc<Viewer>);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let viewer = parts.extensions.get::<Arc<Viewer>>().cloned();
        viewer.map(Self).ok_or(Error::SignIn { what: "this" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_one_cookie_of_many() {
        let secret = Secret::new();
        let mut headers = HeaderMap::new();
        assert_eq!(session(&headers), None);
        headers.append(COOKIE, HeaderValue::from_static("theme=dark; pressrun_session=nonsense"));
        assert_eq!(session(&headers), None);
        let text = format!("a=b; {SESSION}={} ; c=d", secret.reveal());
        headers.append(COOKIE, text.parse().unwrap());
        assert_eq!(session(&headers), Some(secret));
    }
}
