//! Comments and their counts, moderation, authors and their replies.

use pressrun_catalog::{
    Audience, Catalog, ClaimState, Email, Error, NewComment, NewMail, NewVerdictReply, Notice,
    Occasion, Person, Role,
};
use pressrun_lab::{Outcome, Profile};

use crate::support::{record, studied, titled};

async fn site() -> (Catalog, Person, Person) {
    let catalog = Catalog::in_memory().await.unwrap();
    catalog.upsert(&[titled("Gates"), titled("Experts"), studied("ball")]).await.unwrap();
    let ada = person(&catalog, "ada").await;
    let max = person(&catalog, "max").await;
    (catalog, ada, max)
}

/// Somebody whose short name is their name.
async fn person(catalog: &Catalog, name: &str) -> Person {
    let email: Email = format!("{name}@example.org").parse().unwrap();
    let person = catalog.add_person(&email, Role::Reader).await.unwrap();
    let profile = pressrun_catalog::Profile {
        handle: name.into(),
        name: name.to_uppercase(),
        about: String::new(),
    };
    catalog.edit_profile(person.id, &profile).await.unwrap();
    catalog.person(person.id).await.unwrap().unwrap()
}

fn mail(notice: &Notice) -> NewMail {
    NewMail {
        kind: if notice.occasion == Occasion::Reply { "reply" } else { "mention" },
        recipient: notice.recipient.clone(),
        subject: format!("{} on {}", notice.by, notice.title),
        body: format!("{}/{}: {}", notice.paper, notice.number, notice.text),
        secret: true,
    }
}

async fn say(
    catalog: &Catalog,
    who: &Person,
    parent: Option<i64>,
    text: &str,
) -> Result<i64, Error> {
    let mentions = text
        .split('@')
        .skip(1)
        .map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap().to_owned());
    let new = NewComment {
        paper: "gates".into(),
        person: who.id,
        parent,
        text: text.into(),
        mentions: mentions.collect(),
    };
    catalog.add_comment(&new, &mail).await
}

async fn count(catalog: &Catalog) -> i64 {
    catalog.paper("gates").await.unwrap().unwrap().comments
}

/// The discussion as lines: indentation, number, text or what is in its place.
async fn lines(catalog: &Catalog, audience: Audience) -> Vec<String> {
    let page = catalog.discussion("gates", audience, 1, 100).await.unwrap();
    let line = |c: &pressrun_catalog::Comment| {
        let by = c.by.as_ref().map_or("-", |by| by.handle.as_str());
        format!("{}{} {by} {}", " ".repeat(c.depth), c.number, c.text)
    };
    page.comments.iter().map(line).collect()
}

#[tokio::test]
async fn a_discussion_reads_from_the_top_with_answers_below() {
    let (catalog, ada, max) = site().await;
    let one = say(&catalog, &ada, None, "one").await.unwrap();
    let two = say(&catalog, &max, None, "two").await.unwrap();
    let under = say(&catalog, &max, Some(one), "under one").await.unwrap();
    say(&catalog, &ada, Some(two), "under two").await.unwrap();
    say(&catalog, &ada, Some(under), "under that").await.unwrap();
    say(&catalog, &ada, Some(one), "under one again").await.unwrap();
    let wanted = [
        "1 ada one",
        " 3 max under one",
        "  5 ada under that",
        " 6 ada under one again",
        "2 max two",
        " 4 ada under two",
    ];
    assert_eq!(lines(&catalog, Audience::Public).await, wanted);
    assert_eq!(count(&catalog).await, 6);
    // Pages, and where a comment stands.
    let page = catalog.discussion("gates", Audience::Public, 2, 4).await.unwrap();
    assert_eq!((page.page, page.pages, page.comments.len()), (2, 2, 2));
    let last = catalog.discussion("gates", Audience::Public, 9, 4).await.unwrap();
    assert_eq!((last.page, last.comments), (2, page.comments));
    assert_eq!(catalog.page_of_comment("gates", 4, 4).await.unwrap(), 2);
    assert_eq!(catalog.page_of_comment("gates", 5, 4).await.unwrap(), 1);
    // Answers to answers end somewhere.
    let mut parent = one;
    for _ in 0..8 {
        parent = say(&catalog, &ada, Some(parent), "deeper").await.unwrap();
    }
    assert_eq!(catalog.comment("gates", parent, Audience::Public).await.unwrap().depth, 4);
    for (parent, text) in [(Some(99), "x"), (None, " "), (None, &*"x".repeat(10_001))] {
        assert!(say(&catalog, &ada, parent, text).await.is_err(), "{parent:?}");
    }
    assert_eq!(count(&catalog).await, 14);
}

#[tokio::test]
async fn edits_keep_what_was_said_and_deletion_does_not() {
    let (catalog, ada, max) = site().await;
    let one = say(&catalog, &ada, None, "first").await.unwrap();
    for text in ["second", "second", "third"] {
        catalog.edit_comment("gates", one, ada.id, text, &[]).await.unwrap();
    }
    let theirs = catalog.edit_comment("gates", one, max.id, "mine", &[]).await.unwrap_err();
    assert!(matches!(theirs, Error::NotTheirs));
    let (now, before) = catalog.comment_history("gates", one, Audience::Public).await.unwrap();
    let texts: Vec<&str> = before.iter().map(|version| version.text.as_str()).collect();
    assert_eq!((now.text.as_str(), texts), ("third", vec!["first", "second"]));
    assert_eq!(before[0].written_at, now.created_at);
    assert!(before[1].written_at < now.edited_at.unwrap());

    let under = say(&catalog, &max, Some(one), "under").await.unwrap();
    let theirs = catalog.delete_comment("gates", one, max.id).await.unwrap_err();
    assert!(matches!(theirs, Error::NotTheirs));
    catalog.delete_comment("gates", one, ada.id).await.unwrap();
    assert_eq!(lines(&catalog, Audience::Curators).await, ["1 - ", " 2 max under"]);
    assert_eq!(count(&catalog).await, 1);
    assert!(catalog.comment_history("gates", one, Audience::Curators).await.is_err());
    assert!(catalog.edit_comment("gates", one, ada.id, "back", &[]).await.is_err());
    assert!(catalog.delete_comment("gates", one, ada.id).await.is_err());
    assert!(say(&catalog, &ada, Some(one), "to nobody").await.is_err());
    // With the last answer the place goes, and its number is not given again.
    catalog.delete_comment("gates", under, max.id).await.unwrap();
    assert_eq!(lines(&catalog, Audience::Public).await, Vec::<String>::new());
    assert_eq!(say(&catalog, &ada, None, "new").await.unwrap(), 3);
    assert_eq!(count(&catalog).await, 1);
}

#[tokio::test]
async fn what_is_hidden_leaves_for_nobody_else() {
    let (catalog, ada, max) = site().await;
    let one = say(&catalog, &ada, None, "secret @max").await.unwrap();
    catalog.edit_comment("gates", one, ada.id, "secret again", &[]).await.unwrap();
    say(&catalog, &max, Some(one), "under").await.unwrap();
    catalog.report_comment("gates", one, max.id, "rude").await.unwrap();
    catalog.report_comment("gates", one, max.id, "very rude").await.unwrap();
    let reports = catalog.open_reports().await.unwrap();
    assert_eq!((reports.len(), reports[0].reason.as_str()), (1, "very rude"));
    for _ in 0..2 {
        catalog.hide_comment("gates", one, max.id, "rudeness").await.unwrap();
    }
    assert_eq!(count(&catalog).await, 1);
    assert!(catalog.open_reports().await.unwrap().is_empty());
    let hidden = |audience| {
        let catalog = catalog.clone();
        async move {
            let comment = catalog.comment("gates", one, audience).await.unwrap();
            assert_eq!(comment.hidden.unwrap().reason, "rudeness");
            comment.text.is_empty() && comment.by.is_none() && comment.mentions.is_empty()
        }
    };
    assert!(hidden(Audience::Public).await && hidden(Audience::Person(max.id)).await);
    assert!(!hidden(Audience::Person(ada.id)).await && !hidden(Audience::Curators).await);
    assert!(catalog.comment_history("gates", one, Audience::Public).await.is_err());
    assert!(catalog.comment_history("gates", one, Audience::Person(ada.id)).await.is_ok());
    for recent in [None, Some("gates")] {
        let texts = catalog.recent_comments(recent, 10).await.unwrap();
        assert!(texts.iter().all(|c| c.text == "under"), "{texts:?}");
    }
    assert!(catalog.recent_comments_of(ada.id, 10).await.unwrap().is_empty());
    assert_eq!(catalog.all_comments_of(ada.id).await.unwrap()[0].versions.len(), 1);
    for refused in [
        catalog.edit_comment("gates", one, ada.id, "new", &[]).await,
        catalog.report_comment("gates", one, max.id, "again").await,
        say(&catalog, &max, Some(one), "to nobody").await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::UnknownComment { .. })));
    }
    assert_eq!(catalog.hidden_comments().await.unwrap().len(), 1);
    catalog.unhide_comment("gates", one).await.unwrap();
    assert!(catalog.unhide_comment("gates", one).await.is_err());
    assert_eq!(count(&catalog).await, 2);
    // Deleted while hidden, it is counted once.
    catalog.hide_comment("gates", one, max.id, "rudeness").await.unwrap();
    catalog.delete_comment("gates", one, ada.id).await.unwrap();
    assert_eq!(count(&catalog).await, 1);
    assert!(catalog.unhide_comment("gates", one).await.is_err());
}

#[tokio::test]
async fn one_mail_for_each_who_wants_it() {
    let (catalog, ada, max) = site().await;
    let one = say(&catalog, &ada, None, "hello @max").await.unwrap();
    assert!(catalog.claim_mail().await.unwrap().is_none(), "nobody has asked for any");
    catalog.set_wants_replies(ada.id, true).await.unwrap();
    catalog.set_wants_replies(max.id, true).await.unwrap();
    assert!(catalog.wants_replies(ada.id).await.unwrap());
    say(&catalog, &max, Some(one), "@ada @ada, see @max and @nobody").await.unwrap();
    let told = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!((told.kind.as_str(), told.recipient.as_str()), ("reply", "ada@example.org"));
    assert_eq!(told.subject, "MAX on Gates");
    assert!(catalog.claim_mail().await.unwrap().is_none(), "one, and none to oneself");
    say(&catalog, &ada, None, "and @max").await.unwrap();
    let told = catalog.claim_mail().await.unwrap().unwrap();
    assert_eq!((told.kind.as_str(), told.recipient.as_str()), ("mention", "max@example.org"));
    // A short name is followed when it changes, and forgotten with its person.
    let profile =
        pressrun_catalog::Profile { handle: "maxim".into(), name: "M".into(), about: "".into() };
    catalog.edit_profile(max.id, &profile).await.unwrap();
    let mentions = catalog.comment("gates", 3, Audience::Public).await.unwrap().mentions;
    assert_eq!(mentions, [("max".to_owned(), "maxim".to_owned())]);
    catalog.delete_person(max.id).await.unwrap();
    assert!(catalog.comment("gates", 3, Audience::Public).await.unwrap().mentions.is_empty());
}

#[tokio::test]
async fn with_a_person_goes_what_they_said() {
    let (catalog, ada, max) = site().await;
    let one = say(&catalog, &ada, None, "ada's").await.unwrap();
    let own = say(&catalog, &ada, Some(one), "ada to herself").await.unwrap();
    let two = say(&catalog, &ada, None, "ada's, answered").await.unwrap();
    say(&catalog, &max, Some(two), "max to ada").await.unwrap();
    catalog.edit_comment("gates", two, ada.id, "ada's, edited", &[]).await.unwrap();
    catalog.report_comment("gates", 4, ada.id, "x").await.unwrap();
    catalog.hide_comment("gates", own, max.id, "x").await.unwrap();
    catalog.claim_paper("gates", ada.id, "Ada King", "").await.unwrap();
    catalog.delete_person(ada.id).await.unwrap();
    assert_eq!(lines(&catalog, Audience::Curators).await, ["3 - ", " 4 max max to ada"]);
    assert_eq!(count(&catalog).await, 1);
    assert!(catalog.open_reports().await.unwrap().is_empty());
    assert!(catalog.open_claims().await.unwrap().is_empty());
    catalog.delete_person(max.id).await.unwrap();
    assert_eq!(lines(&catalog, Audience::Curators).await, Vec::<String>::new());
    assert_eq!(count(&catalog).await, 0);
}

#[tokio::test]
async fn authors_are_confirmed_by_somebody_else() {
    let (catalog, ada, max) = site().await;
    let claim = async |proof| catalog.claim_paper("gates", ada.id, "Ada King", proof).await;
    assert_eq!(claim("").await.unwrap(), ClaimState::Claimed);
    assert_eq!(claim("my page").await.unwrap(), ClaimState::Claimed);
    let open = catalog.open_claims().await.unwrap();
    assert_eq!((open.len(), open[0].proof.as_str()), (1, "my page"));
    let unknown = catalog.claim_paper("nothing", ada.id, "A", "").await.unwrap_err();
    assert!(matches!(unknown, Error::UnknownPaper { .. }));
    let own = catalog.decide_claim("gates", ada.id, ada.id, true).await.unwrap_err();
    assert!(matches!(own, Error::NotTheirs));
    assert!(catalog.decide_claim("experts", ada.id, max.id, true).await.is_err());
    say(&catalog, &ada, None, "as an author").await.unwrap();
    let is_author = async || {
        let comment = catalog.comment("gates", 1, Audience::Public).await.unwrap();
        comment.by.unwrap().is_author
    };
    assert!(!is_author().await);
    catalog.decide_claim("gates", ada.id, max.id, true).await.unwrap();
    assert!(is_author().await);
    assert_eq!(catalog.authors_here("gates").await.unwrap(), [("ada".into(), "ADA".into())]);
    // What is decided is not claimed anew.
    assert_eq!(claim("again").await.unwrap(), ClaimState::Confirmed);
    catalog.decide_claim("gates", ada.id, max.id, false).await.unwrap();
    assert_eq!(claim("again").await.unwrap(), ClaimState::Refused);
    assert!(!is_author().await && catalog.open_claims().await.unwrap().is_empty());
    assert_eq!(catalog.claims_of(ada.id).await.unwrap()[0].state, ClaimState::Refused);
}

#[tokio::test]
async fn replies_to_verdicts_follow_each_other() {
    let (catalog, ada, max) = site().await;
    let outcomes = [Outcome::Reproduced, Outcome::Partly];
    catalog.add_record(&record("r1", "ball", Profile::Full, 1, &outcomes)).await.unwrap();
    let id = catalog.paper("ball").await.unwrap().unwrap().id;
    let new = |claim: &str, disputed, text: &str| NewVerdictReply {
        paper: id.clone(),
        run: "r1".into(),
        claim: claim.into(),
        person: ada.id,
        disputed,
        text: text.into(),
    };
    let refused = catalog.reply_to_verdict(&new("C1", true, "no")).await.unwrap_err();
    assert!(matches!(refused, Error::NotAnAuthor));
    catalog.claim_paper(&id, ada.id, "Ada King", "").await.unwrap();
    let refused = catalog.reply_to_verdict(&new("C1", true, "no")).await.unwrap_err();
    assert!(matches!(refused, Error::NotAnAuthor));
    catalog.decide_claim(&id, ada.id, max.id, true).await.unwrap();
    catalog.reply_to_verdict(&new("C2", true, "it is wrong")).await.unwrap();
    let second = catalog.reply_to_verdict(&new("C2", false, "it is right")).await.unwrap();
    assert!(catalog.reply_to_verdict(&new("C9", true, "no")).await.is_err());
    let other = NewVerdictReply { paper: "gates".into(), ..new("C1", true, "no") };
    assert!(matches!(catalog.reply_to_verdict(&other).await, Err(Error::UnknownRun { .. })));
    let other = NewVerdictReply { run: "r9".into(), ..new("C1", true, "no") };
    assert!(matches!(catalog.reply_to_verdict(&other).await, Err(Error::UnknownRun { .. })));
    let said = async |audience| {
        let replies = catalog.verdict_replies("r1", audience).await.unwrap();
        let one = |r: &pressrun_catalog::VerdictReply| {
            (r.text.clone(), r.disputed, r.superseded, r.hidden.is_some())
        };
        replies.iter().map(one).collect::<Vec<_>>()
    };
    let wanted =
        [("it is right".into(), false, false, false), ("it is wrong".into(), true, true, false)];
    assert_eq!(said(Audience::Public).await, wanted);
    assert_eq!(catalog.recent_verdict_replies(&id, 10).await.unwrap().len(), 2);
    // Hiding the newer one does not bring the older one back.
    catalog.hide_verdict_reply(second, max.id, "off the matter").await.unwrap();
    let hidden = said(Audience::Public).await;
    assert_eq!(hidden[0], (String::new(), false, false, true));
    assert!(hidden[1].2);
    assert_eq!(said(Audience::Person(ada.id)).await[0].0, "it is right");
    assert_eq!(catalog.hidden_verdict_replies().await.unwrap().len(), 1);
    assert_eq!(catalog.recent_verdict_replies(&id, 10).await.unwrap().len(), 1);
    catalog.unhide_verdict_reply(second).await.unwrap();
    assert!(catalog.unhide_verdict_reply(second).await.is_err());
    assert!(catalog.hide_verdict_reply(1, max.id, "x").await.is_err());
    assert_eq!(catalog.verdict_replies_of(ada.id).await.unwrap().len(), 2);
    catalog.delete_person(ada.id).await.unwrap();
    assert!(said(Audience::Curators).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_writers_lose_nothing() {
    let (catalog, ada, _) = site().await;
    let first = say(&catalog, &ada, None, "first").await.unwrap();
    let mut people = Vec::new();
    for i in 0..50 {
        people.push(person(&catalog, &format!("reader-{i:02}")).await);
    }
    let mut writers = Vec::new();
    for (i, reader) in people.into_iter().enumerate() {
        let (catalog, ada) = (catalog.clone(), ada.id);
        writers.push(tokio::spawn(async move {
            let parent = (i % 2 == 0).then_some(first);
            let kept = say(&catalog, &reader, parent, "kept").await.unwrap();
            let hidden = say(&catalog, &reader, Some(kept), "hidden").await.unwrap();
            let gone = say(&catalog, &reader, None, "gone").await.unwrap();
            catalog.vote(reader.id, "gates", true).await.unwrap();
            catalog.edit_comment("gates", kept, reader.id, "kept, edited", &[]).await.unwrap();
            catalog.hide_comment("gates", hidden, ada, "a test").await.unwrap();
            catalog.delete_comment("gates", gone, reader.id).await.unwrap();
            [kept, hidden, gone]
        }));
    }
    let mut numbers = Vec::new();
    for writer in writers {
        numbers.extend(writer.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=151).collect::<Vec<_>>(), "each number is given once");
    let paper = catalog.paper("gates").await.unwrap().unwrap();
    assert_eq!((paper.comments, paper.votes), (51, 50));
    let page = catalog.discussion("gates", Audience::Public, 1, 200).await.unwrap();
    assert_eq!(page.comments.len(), 101);
    assert_eq!(page.comments.iter().filter(|comment| comment.is_public()).count(), 51);
}
