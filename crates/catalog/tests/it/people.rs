//! Accounts: signing in, sessions, tokens, mail.

use std::time::Duration;

use pressrun_catalog::{
    Catalog, Constraint, Delivery, Email, Error, Link, NewMail, Profile, Role, Scope, Secret,
};

fn email(text: &str) -> Email {
    text.parse().unwrap()
}

async fn catalog() -> Catalog {
    Catalog::in_memory().await.unwrap()
}

fn link(to: &str) -> Link {
    Link { email: Some(email(to)), role: Role::Reader, return_to: "/papers/all".into() }
}

async fn offer(catalog: &Catalog, link: &Link) -> Secret {
    let secret = Secret::new();
    catalog.offer_sign_in(&secret, link, None).await.unwrap();
    secret
}

#[tokio::test]
async fn a_link_works_once_and_makes_an_account() {
    let catalog = catalog().await;
    let secret = offer(&catalog, &link("ada@example.org")).await;
    // Looking at it does not use it up.
    for _ in 0..2 {
        assert_eq!(catalog.sign_in_link(&secret).await.unwrap(), Some(link("ada@example.org")));
    }
    let (session, ada, to) = catalog.sign_in(&secret, None, "Browser").await.unwrap().unwrap();
    assert_eq!(
        (to.as_str(), ada.email.as_str(), ada.role),
        ("/papers/all", "ada@example.org", Role::Reader)
    );
    assert!(!ada.handle.contains("ada") && !ada.name.contains("ada"), "{ada:?}");
    assert_eq!(catalog.session(&session).await.unwrap(), Some(ada.clone()));
    // It is used up, and no other secret does anything.
    assert_eq!(catalog.sign_in(&secret, None, "").await.unwrap(), None);
    assert_eq!(catalog.sign_in(&Secret::new(), None, "").await.unwrap(), None);
    assert_eq!(catalog.session(&secret).await.unwrap(), None);
    // The same person the next time, with a session of its own.
    let again = offer(&catalog, &link("ada@example.org")).await;
    let (other, same, _) = catalog.sign_in(&again, None, "Phone").await.unwrap().unwrap();
    assert_eq!(same.id, ada.id);
    assert_ne!(other, session);
    let agents: Vec<String> =
        catalog.sessions(ada.id).await.unwrap().into_iter().map(|s| s.agent).collect();
    assert_eq!(agents, ["Phone", "Browser"]);
    assert_eq!(catalog.sign_out_elsewhere(ada.id, &other).await.unwrap(), 1);
    assert_eq!(catalog.session(&session).await.unwrap(), None);
    catalog.sign_out(&other).await.unwrap();
    assert_eq!(catalog.session(&other).await.unwrap(), None);
}

#[tokio::test]
async fn of_many_at_once_one_signs_in() {
    let catalog = catalog().await;
    let secret = offer(&catalog, &link("ada@example.org")).await;
    let attempts = (0..8).map(|_| {
        let (catalog, secret) = (catalog.clone(), secret.clone());
        tokio::spawn(async move { catalog.sign_in(&secret, None, "").await.unwrap().is_some() })
    });
    let mut succeeded = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        succeeded += usize::from(attempt.await.unwrap());
    }
    assert_eq!(succeeded, 1);
}

#[tokio::test]
async fn a_set_up_link_asks_for_the_address_and_gives_its_role() {
    let catalog = catalog().await;
    assert!(!catalog.has_administrator().await.unwrap());
    let set_up = Link { email: None, role: Role::Administrator, return_to: "/".into() };
    let secret = offer(&catalog, &set_up).await;
    assert_eq!(catalog.sign_in(&secret, None, "").await.unwrap(), None);
    let asked = email("root@example.org");
    let (_, root, _) = catalog.sign_in(&secret, Some(&asked), "").await.unwrap().unwrap();
    assert_eq!(root.role, Role::Administrator);
    assert!(catalog.has_administrator().await.unwrap());
    // A link to a known address cannot be turned to another one, and takes no role away.
    let own = offer(&catalog, &link("root@example.org")).await;
    let other = email("mallory@example.org");
    let (_, same, _) = catalog.sign_in(&own, Some(&other), "").await.unwrap().unwrap();
    assert_eq!((same.id, same.role), (root.id, Role::Administrator));
}

#[tokio::test]
async fn people_choose_their_names() {
    let catalog = catalog().await;
    let ada = catalog.add_person(&email("ada@example.org"), Role::Reader).await.unwrap();
    let max = catalog.add_person(&email("max@example.org"), Role::Curator).await.unwrap();
    let profile = |handle: &str| Profile {
        handle: handle.into(),
        name: " Ada King ".into(),
        about: "I <b>count</b>.".into(),
    };
    catalog.edit_profile(ada.id, &profile("ada")).await.unwrap();
    let found = catalog.person_called("ada").await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str()), (ada.id, "Ada King"));
    let taken = catalog.edit_profile(max.id, &profile("ada")).await.unwrap_err();
    assert!(matches!(taken, Error::Constraint(Constraint::PersonHandle)), "{taken}");
    for bad in ["", "ab", "Ada", "a da", "-ada", "ada-", "a/../b", &"a".repeat(31)] {
        let error = catalog.edit_profile(ada.id, &profile(bad)).await.unwrap_err().to_string();
        assert!(error.contains("3 to 30 of the letters"), "{error}");
    }
    let named = |name: &str| Profile { name: name.into(), ..profile("ada") };
    for bad in ["", " ", "a\nb", &"a".repeat(81)] {
        assert!(catalog.edit_profile(ada.id, &named(bad)).await.is_err(), "{bad:?}");
    }
    catalog.set_blocked(ada.id, true).await.unwrap();
    assert!(catalog.person(ada.id).await.unwrap().unwrap().blocked);
}

#[tokio::test]
async fn tokens_have_scopes_and_an_end() {
    let catalog = catalog().await;
    let ada = catalog.add_person(&email("ada@example.org"), Role::Reader).await.unwrap();
    let max = catalog.add_person(&email("max@example.org"), Role::Reader).await.unwrap();
    let scopes = [Scope::Write, Scope::Read, Scope::Read];
    let secret = catalog.add_token(ada.id, "laptop", &scopes, None).await.unwrap();
    let (owner, found) = catalog.token(&secret).await.unwrap().unwrap();
    assert_eq!((owner.id, owner.email.as_str()), (ada.id, "ada@example.org"));
    assert_eq!(found, [Scope::Read, Scope::Write]);
    // A token is no session, and the other way round.
    assert_eq!(catalog.session(&secret).await.unwrap(), None);
    let listed = catalog.tokens(ada.id).await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "laptop"));
    assert!(listed[0].used_at.is_some());
    let past = jiff::Timestamp::now() - Duration::from_secs(1);
    let over = catalog.add_token(ada.id, "old", &[Scope::Read], Some(past)).await.unwrap();
    assert_eq!(catalog.token(&over).await.unwrap(), None);
    assert!(catalog.add_token(ada.id, "none", &[], None).await.is_err());
    assert!(catalog.add_token(ada.id, " ", &[Scope::Read], None).await.is_err());
    // Somebody else's number does nothing.
    assert!(!catalog.remove_token(max.id, listed[0].id).await.unwrap());
    assert!(catalog.token(&secret).await.unwrap().is_some());
    assert!(catalog.remove_token(ada.id, listed[0].id).await.unwrap());
    assert_eq!(catalog.token(&secret).await.unwrap(), None);
    for i in 0..49 {
        catalog.add_token(ada.id, &format!("t{i}"), &[Scope::Read], None).await.unwrap();
    }
    let error = catalog.add_token(ada.id, "too many", &[Scope::Read], None).await.unwrap_err();
    assert!(error.to_string().contains("fewer than 50"), "{error}");
}

#[tokio::test]
async fn mail_is_claimed_by_one_and_forgets_what_was_secret() {
    let catalog = catalog().await;
    let mail = |kind: &'static str, secret| NewMail {
        kind,
        recipient: email("ada@example.org"),
        subject: "Sign in".into(),
        body: "The link.".into(),
        secret,
    };
    let first = catalog.add_mail(&mail("sign-in", true)).await.unwrap();
    let second = catalog.add_mail(&mail("notice", false)).await.unwrap();
    let claimed = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!((claimed.id, claimed.body.as_str(), claimed.attempts), (first, "The link.", 0));
    assert_eq!(catalog.claim_mail().await.unwrap().unwrap().id, second);
    assert_eq!(catalog.claim_mail().await.unwrap(), None);
    let note = async |id, delivery| {
        assert!(catalog.exchange_mails(&[(id, delivery)], 0).await.unwrap().is_empty());
    };
    // One is put back and is not due yet, then is.
    note(first, Delivery::Deferred("451 later".into(), Duration::from_secs(60))).await;
    assert_eq!(catalog.claim_mail().await.unwrap(), None);
    note(first, Delivery::Deferred("451 later".into(), Duration::ZERO)).await;
    let again = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!((again.id, again.attempts), (first, 2));
    note(first, Delivery::Accepted("250 ok".into())).await;
    note(second, Delivery::Failed("550 nobody".into())).await;
    let counts = catalog.mail_counts().await.unwrap();
    assert_eq!((counts.unsent(), counts.accepted, counts.failed), (0, 1, 1));
    let failed = catalog.failed_mails(10).await.unwrap();
    assert_eq!((failed[0].id, failed[0].answer.as_str()), (second, "550 nobody"));
}
