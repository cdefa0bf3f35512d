//! What is in each issue, and when it comes.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use pressrun_catalog::{
    Catalog, Delivery, Frequency, Issue, NewMail, NewPaper, NoPapers, Paper, Preferences, Role,
    Schedule, Subscription,
};
use pressrun_digest::{Content, Editor, Found, Publisher, Topics};

use crate::{SITE, files, outbox};

/// Finds papers whose title has the word; cannot answer `broken`.
#[derive(Debug)]
struct Words;

impl Topics for Words {
    fn of<'a>(&'a self, query: &'a str, papers: &'a [Arc<Paper>]) -> Found<'a> {
        Box::pin(async move {
            if query == "broken" {
                return Err("the index is being built".into());
            }
            let with = papers.iter().filter(|paper| paper.title.contains(query));
            Ok(with.map(|paper| paper.id.clone()).collect::<HashSet<_>>())
        })
    }
}

struct Desk {
    catalog: Catalog,
    editor: Editor,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

impl Desk {
    async fn new() -> Self {
        let catalog = Catalog::in_memory().await.unwrap();
        let editor = Editor::new(catalog.clone(), Arc::new(Words));
        Self { catalog, editor }
    }

    /// Puts papers on the list of a day.
    async fn list(&self, day: Date, titles: &[&str]) {
        let papers: Vec<NewPaper> = titles
            .iter()
            .map(|&title| NewPaper {
                title: title.into(),
                listed: Some(day),
                ..NewPaper::default()
            })
            .collect();
        self.catalog.upsert(&papers).await.unwrap();
    }

    async fn vote(&self, paper: &str, voters: usize) {
        for voter in 0..voters {
            let email = format!("voter{voter}@example.org").parse().unwrap();
            let person = self.catalog.add_person(&email, Role::Reader).await.unwrap();
            self.catalog.vote(person.id, paper, true).await.unwrap();
        }
    }

    /// A subscription confirmed at that moment.
    async fn subscribe(
        &self,
        address: &str,
        preferences: &Preferences,
        now: Timestamp,
    ) -> Subscription {
        let email = address.parse().unwrap();
        let mut id = 0;
        let mail = |subscription: &Subscription| {
            id = subscription.id;
            NewMail {
                kind: "confirm",
                recipient: subscription.email.clone(),
                subject: String::new(),
                body: String::new(),
                secret: true,
            }
        };
        self.catalog.subscribe(&email, preferences, mail).await.unwrap();
        let confirming = self.catalog.claim_mail().await.unwrap().unwrap();
        assert_eq!(confirming.recipient, email);
        let subscription = self.catalog.confirm_subscription(id, now).await.unwrap();
        subscription.unwrap()
    }

    async fn issues(&self, of: &Subscription) -> Vec<Issue> {
        let mut issues = self.catalog.issues(of.id, 99).await.unwrap();
        issues.reverse();
        issues
    }
}

fn wishes() -> Preferences {
    let schedule = Schedule { frequency: Frequency::EveryDay, hour: 7, zone: "UTC".into() };
    Preferences { schedule, ..Preferences::default() }
}

#[tokio::test]
async fn each_paper_comes_once_the_most_trending_first() {
    let desk = Desk::new().await;
    desk.list(day("2026-11-20"), &["too old"]).await;
    desk.list(day("2026-11-26"), &["alpha", "beta", "gamma"]).await;
    desk.vote("gamma", 2).await;
    desk.vote("too-old", 9).await;
    let two = Preferences { most: 2, ..wishes() };
    let ada = desk.subscribe("ada@example.org", &two, at("2026-11-26T12:00:00Z")).await;
    let published = desk.editor.publish_due(at("2026-11-27T06:59:59Z")).await.unwrap();
    assert_eq!((published.mails, published.silent), (0, 0));
    for (now, expected) in [
        ("2026-11-27T07:00:00Z", vec!["gamma", "alpha"]),
        ("2026-11-27T07:00:05Z", vec![]),
        ("2026-11-28T07:00:00Z", vec!["beta"]),
    ] {
        let before = desk.issues(&ada).await.len();
        desk.editor.publish_due(at(now)).await.unwrap();
        let issues = desk.issues(&ada).await;
        let papers = issues.get(before).map(|issue| issue.papers.clone()).unwrap_or_default();
        assert_eq!(papers, expected, "{now}");
    }
    desk.editor.publish_due(at("2026-11-29T07:00:00Z")).await.unwrap();
    let last = desk.issues(&ada).await.pop().unwrap();
    assert_eq!((last.papers.len(), last.reason), (0, Some(NoPapers::AllHad)));
}

#[tokio::test]
async fn an_issue_without_papers_says_why_and_is_sent_only_if_wished() {
    let desk = Desk::new().await;
    let now = at("2026-11-26T12:00:00Z");
    let silent = desk.subscribe("a@example.org", &wishes(), now).await;
    desk.list(day("2026-11-27"), &["on gates", "on experts"]).await;
    desk.vote("on-gates", 1).await;
    let told = Preferences { send_empty: true, query: "diffusion".into(), ..wishes() };
    let told = desk.subscribe("b@example.org", &told, now).await;
    let few = Preferences { query: "experts".into(), min_votes: 1, ..wishes() };
    let few = desk.subscribe("c@example.org", &few, now).await;
    let right = Preferences { query: "gates".into(), min_votes: 1, ..wishes() };
    let right = desk.subscribe("d@example.org", &right, now).await;
    let sunday = Schedule { frequency: "sunday".parse().unwrap(), ..wishes().schedule };
    let weekly = Preferences { schedule: sunday, ..wishes() };
    let weekly = desk.subscribe("e@example.org", &weekly, now).await;
    let published = desk.editor.publish_due(at("2026-11-27T07:00:00Z")).await.unwrap();
    assert_eq!((published.mails, published.silent), (3, 1));
    let first = async |of: &Subscription| desk.issues(of).await.remove(0);
    assert_eq!(first(&silent).await.papers, ["on-gates", "on-experts"]);
    assert_eq!(first(&told).await.reason, Some(NoPapers::OffTopic));
    assert_eq!(first(&few).await.reason, Some(NoPapers::FewVotes));
    assert_eq!(first(&right).await.papers, ["on-gates"]);
    assert!(desk.issues(&weekly).await.is_empty());
    desk.editor.publish_due(at("2026-11-29T07:00:00Z")).await.unwrap();
    assert_eq!(first(&weekly).await.papers, ["on-gates", "on-experts"]);
    // Where nothing is listed at all, that is why.
    let later = desk.subscribe("f@example.org", &wishes(), at("2026-11-27T12:00:00Z")).await;
    desk.editor.publish_due(at("2027-03-02T07:00:00Z")).await.unwrap();
    assert_eq!(first(&later).await.reason, Some(NoPapers::NothingListed));
}

#[tokio::test]
async fn what_was_missed_comes_late_once_and_looks_further_back() {
    let desk = Desk::new().await;
    let ada = desk.subscribe("ada@example.org", &wishes(), at("2026-11-01T12:00:00Z")).await;
    desk.list(day("2026-11-02"), &["early"]).await;
    desk.list(day("2026-11-14"), &["late"]).await;
    // The site stood still for a fortnight, and starts in the afternoon.
    for _ in 0..3 {
        desk.editor.publish_due(at("2026-11-15T16:00:00Z")).await.unwrap();
    }
    let issues = desk.issues(&ada).await;
    assert_eq!(issues.len(), 1);
    assert!(issues[0].late());
    assert_eq!(issues[0].slot.day, day("2026-11-15"));
    assert_eq!(issues[0].papers, ["late", "early"]);
    let next = desk.catalog.subscription(ada.id).await.unwrap().unwrap().next_at;
    assert_eq!(next, Some(at("2026-11-16T07:00:00Z")));
    // In time again.
    desk.list(day("2026-11-16"), &["new"]).await;
    desk.editor.publish_due(at("2026-11-16T07:00:03Z")).await.unwrap();
    assert!(!desk.issues(&ada).await[1].late());
}

#[tokio::test]
async fn a_clock_that_goes_back_brings_nothing_twice() {
    let desk = Desk::new().await;
    let ada = desk.subscribe("ada@example.org", &wishes(), at("2026-11-26T12:00:00Z")).await;
    desk.list(day("2026-11-26"), &["alpha"]).await;
    desk.list(day("2026-11-27"), &["beta"]).await;
    desk.editor.publish_due(at("2026-11-27T07:00:00Z")).await.unwrap();
    // Set back by six hours, and the subscription reckoned anew.
    desk.catalog.save_subscription(ada.id, &wishes(), at("2026-11-27T01:00:00Z")).await.unwrap();
    desk.list(day("2026-11-27"), &["gamma"]).await;
    desk.editor.publish_due(at("2026-11-27T07:00:00Z")).await.unwrap();
    let issues = desk.issues(&ada).await;
    assert_eq!(issues.len(), 1);
    desk.editor.publish_due(at("2026-11-28T07:00:00Z")).await.unwrap();
    assert_eq!(desk.issues(&ada).await[1].papers, ["gamma"]);
}

#[tokio::test]
async fn a_search_that_cannot_be_asked_keeps_only_its_own_issue_waiting() {
    let desk = Desk::new().await;
    let now = at("2026-11-26T12:00:00Z");
    desk.list(day("2026-11-26"), &["alpha"]).await;
    let broken = Preferences { query: "broken".into(), ..wishes() };
    let broken = desk.subscribe("a@example.org", &broken, now).await;
    let whole = desk.subscribe("b@example.org", &wishes(), now).await;
    let published = desk.editor.publish_due(at("2026-11-27T07:00:00Z")).await.unwrap();
    assert_eq!((published.mails, published.waiting), (1, 1));
    assert_eq!(desk.issues(&whole).await.len(), 1);
    assert!(desk.issues(&broken).await.is_empty());
    let mended = Preferences { query: "alpha".into(), ..wishes() };
    desk.catalog.save_subscription(broken.id, &mended, now).await.unwrap();
    desk.editor.publish_due(at("2026-11-27T07:00:09Z")).await.unwrap();
    assert_eq!(desk.issues(&broken).await.len(), 1);
}

#[tokio::test]
async fn many_that_are_due_at_once_have_their_issue_each() {
    let desk = Desk::new().await;
    let now = at("2026-11-26T12:00:00Z");
    desk.list(day("2026-11-26"), &["alpha", "beta"]).await;
    for number in 0..600 {
        desk.subscribe(&format!("p{number}@example.org"), &wishes(), now).await;
    }
    let published = desk.editor.publish_due(at("2026-11-27T07:00:00Z")).await.unwrap();
    assert_eq!(published.mails, 600);
    assert_eq!(desk.editor.publish_due(at("2026-11-27T07:00:00Z")).await.unwrap().mails, 0);
}

#[tokio::test]
async fn an_issue_and_a_test_become_letters() {
    let desk = Desk::new().await;
    let today = jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date();
    desk.list(today.saturating_sub(1.days()), &["On gates that open", "Größe und Güte 学习"]).await;
    let now = Timestamp::now();
    let ada = desk.subscribe("ada@example.org", &wishes(), now - 48.hours()).await;
    desk.editor.publish_due(now).await.unwrap();
    desk.editor.send_test(&ada, now).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(&desk.catalog, folder.path());
    // The confirming mail of above is claimed still; it is taken up as well.
    outbox.send_due().await.unwrap();
    let names = files(folder.path());
    let read = |part: &str| {
        let name = names.iter().find(|name| name.contains(part)).unwrap();
        std::fs::read_to_string(folder.path().join("mail").join(name)).unwrap()
    };
    let (issue, test) = (read("-digest-"), read("-digest-test-"));
    for letter in [&issue, &test] {
        for line in [
            "List-Id: <digest.papers.example.net>\r\n",
            "List-Unsubscribe: <mailto:papers@example.net?subject=unsubscribe%20",
            "Auto-Submitted: auto-generated\r\n",
            "To: ada@example.org\r\n",
            "Content-Type: multipart/alternative;",
        ] {
            assert!(letter.contains(line), "{line} in {letter}");
        }
        // One click is for connections that nobody else reads.
        assert!(!letter.contains("List-Unsubscribe-Post"), "{letter}");
        assert!(letter.is_ascii() && !letter.replace("\r\n", "").contains(['\r', '\n']));
    }
    let id =
        |letter: &str| letter.lines().find(|l| l.starts_with("Message-ID")).unwrap().to_owned();
    assert_ne!(id(&issue), id(&test));
    // A sample is made without an issue.
    let sample: Content = desk.editor.sample(ada.id, &ada.preferences, now).await.unwrap();
    assert_eq!(sample.papers.len(), 2);
    let letter = outbox.preview(&ada, &sample).await.unwrap();
    assert!(letter.text.contains("On gates that open"));
}

#[tokio::test]
async fn a_publisher_publishes_and_tells_of_suspensions() {
    let desk = Desk::new().await;
    let now = Timestamp::now();
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    desk.list(today.saturating_sub(1.days()), &["alpha"]).await;
    let ada = desk.subscribe("ada@example.org", &wishes(), now - 48.hours()).await;
    let max = desk.subscribe("max@example.org", &wishes(), now - 48.hours()).await;
    // Three issues of his were refused.
    let mut due = max.clone();
    for round in 0..3 {
        let at = due.next_at.unwrap() + (24 * round).hours();
        desk.editor.publish_due(at).await.unwrap();
        while let Some(mail) = desk.catalog.claim_mail().await.unwrap() {
            let refused = mail.recipient == max.email;
            let delivery = match refused {
                true => Delivery::Failed("550 nobody".into()),
                false => Delivery::Accepted("250 ok".into()),
            };
            desk.catalog.exchange_mails(&[(mail.id, delivery)], 0).await.unwrap();
        }
        due = desk.catalog.subscription(max.id).await.unwrap().unwrap();
        if due.suspended_at.is_some() {
            break;
        }
        let papers = format!("more {round}");
        desk.list(today.saturating_sub(1.days()), &[papers.as_str()]).await;
        let saved = desk.catalog.save_subscription(max.id, &wishes(), at).await.unwrap();
        due = saved.unwrap();
    }
    assert!(due.suspended_at.is_some());
    let root = "root@example.org".parse().unwrap();
    desk.catalog.add_person(&root, Role::Administrator).await.unwrap();
    let publisher = Publisher::new(desk.catalog.clone(), desk.editor.clone(), SITE);
    let told = async {
        while desk.catalog.unsent_mails().await.unwrap().composed == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    publisher.run(told).await;
    let mail = desk.catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!((mail.kind.as_str(), &mail.recipient), ("digest-suspended", &root));
    assert_eq!(mail.subject, "1 subscription was suspended");
    assert!(mail.body.contains("max@example.org"), "{}", mail.body);
    assert!(mail.body.contains(&format!("{SITE}/digest/admin")), "{}", mail.body);
    assert!(!mail.body.contains(ada.email.as_str()), "{}", mail.body);
}
