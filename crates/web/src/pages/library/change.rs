//! Forms that change a library.

use axum::extract::{Path, State};
use axum::response::Redirect;
use pressrun_catalog::{LibraryChange, Scope, Tag};

use crate::edge::viewer::SignedIn;
use crate::pages::form::{Fields, place};
use crate::site::{Shared, Site};
use crate::view::link;
use crate::{Error, Result};

/// The id of a paper that a request names by any of its names.
pub(super) async fn id_of(site: &Site, name: &str) -> Result<String> {
    let paper = site.catalog.paper(name).await?.ok_or_else(|| Error::no_paper(name))?;
    Ok(paper.id)
}

/// Fails where nothing is asked for.
fn some<'a>(fields: &'a Fields, name: &'static str) -> Option<&'a str> {
    fields.all(name).next()
}

/// `POST /papers/ID/library`: the fields that are there change what they name.
pub(super) async fn change(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    let change = read(&fields)?;
    let paper = id_of(&site, &name).await?;
    let changed = site.catalog.change_library(viewer.person.id, &paper, &change).await;
    changed.map_err(Error::of_form)?;
    Ok(Redirect::to(place(fields.get("to"))))
}

fn read(fields: &Fields) -> Result<LibraryChange> {
    let state = some(fields, "state").map(str::parse).transpose().map_err(Error::of_form)?;
    let tags = |name| some(fields, name).map_or(Ok(Vec::new()), Tag::list).map_err(Error::of_form);
    let change = LibraryChange {
        state,
        tags: None,
        add: tags("tags")?,
        remove: tags("remove-tag")?,
        note: some(fields, "note").map(str::to_owned),
    };
    if change == LibraryChange::default() {
        return Err(Error::Invalid {
            what: "change of the library",
            value: fields.get("tags").to_owned(),
            expected: "a form with `state`, `tags`, `remove-tag` or `note`",
        });
    }
    Ok(change)
}

/// `POST /papers/ID/library/remove`
pub(super) async fn remove(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    let paper = id_of(&site, &name).await?;
    if !site.catalog.remove_from_library(viewer.person.id, &paper).await? {
        return Err(Error::NotFound { what: "paper in your library", name });
    }
    Ok(Redirect::to(place(fields.get("to"))))
}

fn tag(fields: &Fields, name: &'static str) -> Result<Tag> {
    fields.get(name).parse().map_err(Error::of_form)
}

/// `POST /library/tags/rename`
pub(super) async fn rename_tag(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    let (from, to) = (tag(&fields, "tag")?, tag(&fields, "name")?);
    if site.catalog.rename_library_tag(viewer.person.id, &from, &to).await? == 0 {
        return Err(Error::NotFound { what: "tag", name: from.to_string() });
    }
    Ok(Redirect::to(&link::with("/library", "", &[("tag", Some(to.as_str()))])))
}

/// `POST /library/tags/delete`
pub(super) async fn delete_tag(
    State(site): State<Shared>,
    SignedIn(viewer): SignedIn,
    fields: Fields,
) -> Result<Redirect> {
    viewer.may(&site, Scope::Write)?;
    let tag = tag(&fields, "tag")?;
    if site.catalog.delete_library_tag(viewer.person.id, &tag).await? == 0 {
        return Err(Error::NotFound { what: "tag", name: tag.to_string() });
    }
    Ok(Redirect::to("/library"))
}
