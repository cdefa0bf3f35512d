//! `pressrun user`: accounts from the command line.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pressrun_catalog::{Email, Link, Role, Secret};
use pressrun_web::sign_in_url;

use super::catalog;
use crate::cli::{UserArgs, UserCommand};

/// Makes, promotes, blocks.
pub async fn user(args: UserArgs) -> Result<ExitCode> {
    match args.command {
        UserCommand::Add { email, admin, role, url, site } => {
            let email: Email = email.parse()?;
            let role: Role = if admin { Role::Administrator } else { role.parse()? };
            let catalog = catalog(&site.data).await?;
            let person = catalog.add_person(&email, role).await?;
            let secret = Secret::new();
            let link =
                Link { email: Some(email), role: Role::Reader, return_to: "/account".into() };
            catalog.offer_sign_in(&secret, &link, None).await?;
            println!("{}, {}, short name {}", person.email, person.role, person.handle);
            println!("Signs in once, within half an hour: {}", sign_in_url(&url, &secret));
        }
        UserCommand::Block { name, undo, site } => {
            let catalog = catalog(&site.data).await?;
            let Some(person) = catalog.person_called(&name).await? else {
                bail!("there is nobody with the short name `{name}`");
            };
            catalog.set_blocked(person.id, !undo).await.context("blocking")?;
            println!("{} may {}", person.handle, if undo { "write again" } else { "only read" });
        }
    }
    Ok(ExitCode::SUCCESS)
}
