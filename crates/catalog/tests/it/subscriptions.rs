//! Subscriptions, their issues, and the mails of these.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pressrun_catalog::{
    Catalog, Delivery, Email, Frequency, IssueState, NewIssue, NewMail, NoPapers, Preferences,
    Role, Schedule, Slot, Subscription,
};

use crate::support::listed;

fn email(text: &str) -> Email {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn wishes(frequency: Frequency) -> Preferences {
    let schedule = Schedule { frequency, hour: 7, zone: "Europe/Vienna".into() };
    Preferences { schedule, ..Preferences::default() }
}

/// Asks for a subscription; whether the mail that was made of it, if there was one, calls it confirmed.
async fn ask(catalog: &Catalog, address: &str, preferences: &Preferences) -> Option<bool> {
    let mut told = None;
    let mail = |subscription: &Subscription| {
        told = Some(subscription.confirmed_at.is_some());
        NewMail {
            kind: "confirm",
            recipient: subscription.email.clone(),
            subject: "Confirm".into(),
            body: format!("{}", subscription.id),
            secret: true,
        }
    };
    catalog.subscribe(&email(address), preferences, mail).await.unwrap();
    told
}

/// The number in the mail that waits.
async fn number(catalog: &Catalog) -> i64 {
    let mail = catalog.claim_mail().await.unwrap().expect("a mail");
    catalog.exchange_mails(&[(mail.id, Delivery::Accepted("250".into()))], 0).await.unwrap();
    mail.body.parse().unwrap()
}

/// A confirmed subscription.
async fn subscribed(catalog: &Catalog, address: &str, now: Timestamp) -> Subscription {
    ask(catalog, address, &wishes(Frequency::EveryDay)).await;
    let id = number(catalog).await;
    catalog.confirm_subscription(id, now).await.unwrap().unwrap()
}

fn issue(of: &Subscription, papers: &[&str]) -> NewIssue {
    let seen = of.next_at.unwrap();
    let schedule = &of.preferences.schedule;
    NewIssue {
        subscription: of.id,
        seen,
        slot: schedule.last(seen).unwrap(),
        papers: papers.iter().map(|&paper| paper.to_owned()).collect(),
        reason: papers.is_empty().then_some(NoPapers::FewVotes),
        body: (!papers.is_empty()).then(|| "what it is made of".into()),
        next: schedule.next(seen, None).map(|slot| slot.at),
    }
}

#[tokio::test]
async fn nothing_comes_before_the_address_is_confirmed() {
    let catalog = Catalog::in_memory().await.unwrap();
    let now = Timestamp::now();
    assert_eq!(ask(&catalog, "ada@example.org", &wishes(Frequency::Weekdays)).await, Some(false));
    assert!(catalog.due_subscriptions(Timestamp::MAX, 10).await.unwrap().is_empty());
    assert_eq!(catalog.subscription_of(&email("ada@example.org")).await.unwrap(), None);
    // Somebody else asks with other wishes: no second mail, and the last wishes count.
    assert_eq!(ask(&catalog, "Ada@Example.org", &wishes(Frequency::EveryDay)).await, None);
    let id = number(&catalog).await;
    let confirmed = catalog.confirm_subscription(id, now).await.unwrap().unwrap();
    assert_eq!(confirmed.preferences, wishes(Frequency::EveryDay));
    let next = confirmed.next_at.unwrap();
    assert!(next > now && next <= now + SignedDuration::from_hours(25), "{next}");
    // Again is the same.
    assert_eq!(catalog.confirm_subscription(id, now).await.unwrap().unwrap(), confirmed);
    // Of a confirmed one nobody changes anything by asking.
    assert_eq!(ask(&catalog, "ada@example.org", &wishes(Frequency::Weekdays)).await, None);
    assert_eq!(catalog.subscription(id).await.unwrap().unwrap(), confirmed);
    assert_eq!(catalog.confirm_subscription(12, now).await.unwrap(), None);
    let counts = catalog.subscription_counts("2026-11-26".parse().unwrap()).await.unwrap();
    assert_eq!((counts.active, counts.open), (1, 0));
}

#[tokio::test]
async fn an_address_that_nobody_confirms_is_forgotten() {
    let catalog = Catalog::in_memory().await.unwrap();
    let later = Timestamp::now() + SignedDuration::from_hours(49);
    ask(&catalog, "ada@example.org", &Preferences::default()).await;
    let id = number(&catalog).await;
    let open = catalog.subscription(id).await.unwrap().unwrap();
    assert!(open.is_forgotten(later) && !open.is_forgotten(Timestamp::now()));
    assert_eq!(catalog.confirm_subscription(id, later).await.unwrap(), None);
    catalog.forget_old_mail(later).await.unwrap();
    assert_eq!(catalog.subscription(id).await.unwrap(), None);
}

#[tokio::test]
async fn wishes_have_bounds() {
    let catalog = Catalog::in_memory().await.unwrap();
    let usual = Preferences::default;
    for bad in [
        Preferences { most: 0, ..usual() },
        Preferences { most: 51, ..usual() },
        Preferences { min_votes: 1_000_001, ..usual() },
        Preferences { query: "x".repeat(501), ..usual() },
        Preferences { query: "experts\r\nBcc: all@example.org".into(), ..usual() },
        Preferences { schedule: Schedule { hour: 24, ..usual().schedule }, ..usual() },
        Preferences {
            schedule: Schedule { zone: "Nowhere".into(), ..usual().schedule },
            ..usual()
        },
    ] {
        let mail = |_: &Subscription| unreachable!();
        let error = catalog.subscribe(&email("ada@example.org"), &bad, mail).await.unwrap_err();
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

#[tokio::test]
async fn an_issue_is_published_once() {
    let catalog = Catalog::in_memory().await.unwrap();
    let ada = subscribed(&catalog, "ada@example.org", at("2026-11-26T12:00:00Z")).await;
    let due = ada.next_at.unwrap();
    assert_eq!(due, at("2026-11-27T06:00:00Z"));
    assert!(catalog.due_subscriptions(due - Duration::from_micros(1), 9).await.unwrap().is_empty());
    assert_eq!(catalog.due_subscriptions(due, 9).await.unwrap(), std::slice::from_ref(&ada));
    let first = issue(&ada, &["a", "b"]);
    // Two that reckoned at once: one publishes.
    assert_eq!(catalog.publish(&[first.clone(), first.clone()], due).await.unwrap(), 1);
    assert_eq!(catalog.publish(std::slice::from_ref(&first), due).await.unwrap(), 0);
    // The clock went back, and the subscription was saved: the day had its issue.
    let saved = catalog.save_subscription(ada.id, &ada.preferences, at("2026-11-26T12:00:00Z"));
    let saved = saved.await.unwrap().unwrap();
    assert_eq!(saved.next_at, Some(due));
    assert_eq!(catalog.publish(&[issue(&saved, &["c"])], due).await.unwrap(), 0);
    let mail = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!((mail.kind.as_str(), mail.body.as_str()), ("digest", "what it is made of"));
    assert_eq!(catalog.claim_mail().await.unwrap(), None);
    let issues = catalog.issues(ada.id, 9).await.unwrap();
    assert_eq!((issues.len(), issues[0].id), (1, mail.id));
    assert_eq!(issues[0].papers, ["a", "b"]);
    assert_eq!(issues[0].state, IssueState::Waiting);
    let had = catalog.papers_had(&[ada.id, 5], "2026-11-20".parse().unwrap()).await.unwrap();
    assert_eq!((had.len(), had[&ada.id].len()), (1, 2));
    let none = catalog.papers_had(&[ada.id], "2026-11-28".parse().unwrap()).await.unwrap();
    assert!(none.is_empty());
    // The next day has none, and says why.
    let next = catalog.due_subscriptions(due + SignedDuration::from_hours(24), 9).await.unwrap();
    assert_eq!(
        catalog.publish(&[issue(&next[0], &[])], next[0].next_at.unwrap()).await.unwrap(),
        0
    );
    let issues = catalog.issues(ada.id, 1).await.unwrap();
    assert_eq!(
        (issues[0].reason, &issues[0].state),
        (Some(NoPapers::FewVotes), &IssueState::NotSent)
    );
}

#[tokio::test]
async fn whoever_leaves_gets_nothing_more() {
    let catalog = Catalog::in_memory().await.unwrap();
    let ada = subscribed(&catalog, "ada@example.org", at("2026-11-26T12:00:00Z")).await;
    let max = subscribed(&catalog, "max@example.org", at("2026-11-26T12:00:00Z")).await;
    let issues = [issue(&ada, &["a"]), issue(&max, &["a"])];
    catalog.publish(&issues, ada.next_at.unwrap()).await.unwrap();
    assert!(catalog.unsubscribe(ada.id).await.unwrap());
    assert!(!catalog.unsubscribe(ada.id).await.unwrap());
    let mail = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!(mail.recipient, max.email);
    assert_eq!(catalog.claim_mail().await.unwrap(), None);
    assert!(catalog.issues(ada.id, 9).await.unwrap().is_empty());
    // An account that goes takes the subscription of its address along.
    let person = catalog.add_person(&max.email, Role::Reader).await.unwrap();
    catalog.delete_person(person.id).await.unwrap();
    assert_eq!(catalog.subscription(max.id).await.unwrap(), None);
}

#[tokio::test]
async fn three_failures_suspend_and_the_administrator_is_told_once() {
    let catalog = Catalog::in_memory().await.unwrap();
    let mut ada = subscribed(&catalog, "ada@example.org", at("2026-11-26T12:00:00Z")).await;
    let notice = |recipient: Email, number: u64, named: &[Email]| NewMail {
        kind: "suspended",
        recipient,
        subject: format!("{number}"),
        body: named.iter().map(Email::as_str).collect(),
        secret: false,
    };
    for round in 1..=3 {
        catalog.publish(&[issue(&ada, &["a"])], ada.next_at.unwrap()).await.unwrap();
        let mail = catalog.claim_mail().await.unwrap().unwrap();
        // Putting it off is no failure.
        let wait = Delivery::Deferred("451 later".into(), Duration::ZERO);
        let again = catalog.exchange_mails(&[(mail.id, wait)], 1).await.unwrap();
        let refused = Delivery::Failed("550 no such user".into());
        catalog.exchange_mails(&[(again[0].id, refused)], 0).await.unwrap();
        ada = catalog.subscription(ada.id).await.unwrap().unwrap();
        assert_eq!(ada.failures, round);
        assert_eq!(ada.suspended_at.is_some(), round == 3);
    }
    assert_eq!(ada.next_at, None);
    assert_eq!(catalog.suspended_subscriptions(9).await.unwrap(), [ada.clone()]);
    // Without an administrator it stays to be told.
    assert_eq!(catalog.tell_suspensions(notice).await.unwrap(), 0);
    catalog.add_person(&email("root@example.org"), Role::Administrator).await.unwrap();
    assert_eq!(catalog.tell_suspensions(notice).await.unwrap(), 1);
    assert_eq!(catalog.tell_suspensions(notice).await.unwrap(), 0);
    let mail = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!(
        (mail.recipient.as_str(), mail.body.as_str()),
        ("root@example.org", "ada@example.org")
    );
    // Saving does not resume; resuming does, and a delivery wipes the slate.
    let now = at("2026-12-10T12:00:00Z");
    let saved = catalog.save_subscription(ada.id, &ada.preferences, now).await.unwrap().unwrap();
    assert_eq!(saved.next_at, None);
    let resumed = catalog.resume_subscription(ada.id, now).await.unwrap().unwrap();
    assert_eq!(resumed.next_at, Some(at("2026-12-11T06:00:00Z")));
    catalog.publish(&[issue(&resumed, &["b"])], now).await.unwrap();
    let mail = catalog.claim_mail().await.unwrap().unwrap();
    catalog.exchange_mails(&[(mail.id, Delivery::Accepted("250".into()))], 0).await.unwrap();
    assert_eq!(catalog.subscription(ada.id).await.unwrap().unwrap().failures, 0);
    assert_eq!(catalog.issues(ada.id, 1).await.unwrap()[0].state, IssueState::Accepted);
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_a_wrong_clock_is_made_good() {
    let catalog = Catalog::in_memory().await.unwrap();
    let now = at("2026-11-26T12:00:00Z");
    let ada = subscribed(&catalog, "ada@example.org", now).await;
    let until = Some("2026-12-24".parse().unwrap());
    let paused = catalog.pause_subscription(ada.id, until, now).await.unwrap().unwrap();
    assert_eq!(paused.next_at, Some(at("2026-12-24T06:00:00Z")));
    let counts = catalog.subscription_counts("2026-11-26".parse().unwrap()).await.unwrap();
    assert_eq!((counts.active, counts.paused), (0, 1));
    // What is due already is not taken away by a change, but by a pause.
    let due = paused.next_at.unwrap();
    let saved = catalog.save_subscription(ada.id, &ada.preferences, due).await.unwrap().unwrap();
    assert_eq!(saved.next_at, Some(due));
    let until = Some("2026-12-25".parse().unwrap());
    let paused = catalog.pause_subscription(ada.id, until, due).await.unwrap().unwrap();
    assert_eq!(paused.next_at, Some(at("2026-12-25T06:00:00Z")));
    // A pause may lie far ahead.
    assert_eq!(catalog.reckon_subscriptions(now).await.unwrap(), 0);
    let again = catalog.pause_subscription(ada.id, None, now).await.unwrap().unwrap();
    assert_eq!(again.next_at, ada.next_at);
    // Changed while the clock was a year ahead.
    let ahead = at("2027-11-26T12:00:00Z");
    let until = Some("2027-11-26".parse().unwrap());
    catalog.pause_subscription(ada.id, until, now).await.unwrap();
    let changed = catalog.pause_subscription(ada.id, None, ahead).await.unwrap().unwrap();
    assert_eq!(changed.next_at, Some(at("2027-11-26T06:00:00Z")));
    assert_eq!(catalog.reckon_subscriptions(now).await.unwrap(), 1);
    assert_eq!(catalog.subscription(ada.id).await.unwrap().unwrap().next_at, ada.next_at);
}

#[tokio::test]
async fn what_somebody_waits_for_comes_before_the_mail_to_many() {
    let catalog = Catalog::in_memory().await.unwrap();
    let ada = subscribed(&catalog, "ada@example.org", at("2026-11-26T12:00:00Z")).await;
    catalog.publish(&[issue(&ada, &["a"])], ada.next_at.unwrap()).await.unwrap();
    let link = NewMail {
        kind: "sign-in",
        recipient: email("max@example.org"),
        subject: String::new(),
        body: String::new(),
        secret: true,
    };
    catalog.add_mail(&link).await.unwrap();
    let kinds: Vec<String> =
        catalog.exchange_mails(&[], 5).await.unwrap().into_iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds, ["sign-in", "digest"]);
    let counts = catalog.mail_counts().await.unwrap();
    assert_eq!((counts.claimed, counts.unsent(), counts.oldest.is_some()), (2, 2, true));
    // A sender that died: the next one takes over at once.
    assert_eq!(catalog.exchange_mails(&[], 5).await.unwrap(), []);
    assert_eq!(catalog.release_mails().await.unwrap(), 2);
    let again = catalog.exchange_mails(&[], 5).await.unwrap();
    assert_eq!(again.iter().map(|mail| mail.attempts).collect::<Vec<_>>(), [0, 0]);
    let untried = [(again[0].id, Delivery::Untried), (again[1].id, Delivery::Untried)];
    assert_eq!(catalog.exchange_mails(&untried, 5).await.unwrap().len(), 2);
}

#[tokio::test]
async fn papers_of_the_lists_of_some_days() {
    let catalog = Catalog::in_memory().await.unwrap();
    let day = |text: &str| text.parse().unwrap();
    let papers = [
        listed("Old", day("2026-11-01")),
        listed("New", day("2026-11-26")),
        listed("Newer", day("2026-11-27")),
    ];
    catalog.upsert(&papers).await.unwrap();
    let found = catalog.papers_listed(day("2026-11-20"), day("2026-11-27")).await.unwrap();
    let titles: Vec<&str> = found.iter().map(|paper| paper.title.as_str()).collect();
    assert_eq!(titles, ["Newer", "New"]);
    let slot = Slot { at: at("2026-11-27T06:00:00Z"), day: day("2026-11-27") };
    assert!(!slot.is_late(at("2026-11-27T06:15:00Z")) && slot.is_late(at("2026-11-27T06:15:01Z")));
    assert!(!slot.is_late(at("2026-11-26T06:00:00Z")));
}
