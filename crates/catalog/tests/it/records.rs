//! Records and the paper for which they speak.

use pressrun_catalog::{Catalog, Error, VerdictChange, VerdictCounts};
use pressrun_lab::{Outcome, Profile};

use crate::support::{record, studied};

use Outcome::{NotAtThisScale, NotTested, Partly, Reproduced};

#[tokio::test]
async fn the_newest_full_record_speaks_else_the_newest_quick_one() {
    let catalog = Catalog::in_memory().await.unwrap();
    catalog.upsert(&[studied("gates"), studied("other")]).await.unwrap();
    let steps = [
        // Run, profile, second, outcomes; whose outcomes stand afterwards.
        (record("q2", "gates", Profile::Quick, 20, &[Partly, NotTested]), "q2"),
        (record("q1", "gates", Profile::Quick, 10, &[NotAtThisScale, NotTested]), "q2"),
        (record("f1", "gates", Profile::Full, 5, &[Reproduced, Partly]), "f1"),
        (record("q3", "gates", Profile::Quick, 30, &[Partly, Partly]), "f1"),
        (record("f3", "gates", Profile::Full, 40, &[Reproduced, Reproduced]), "f3"),
        (record("f2", "gates", Profile::Full, 39, &[Partly, Partly]), "f3"),
    ];
    for (new, speaks) in &steps {
        assert!(catalog.add_record(new).await.unwrap());
        let latest = catalog.latest_record("gates").await.unwrap().unwrap();
        assert_eq!(latest.run, *speaks);
        let paper = catalog.paper("gates").await.unwrap().unwrap();
        assert_eq!(paper.verdicts, Some(VerdictCounts::of(&latest)));
        assert_eq!(paper.verdicts.unwrap().total(), 2);
    }
    let heads = catalog.records("gates").await.unwrap();
    let runs: Vec<&str> = heads.iter().map(|h| h.run.as_str()).collect();
    assert_eq!(runs, ["f3", "f2", "q3", "q2", "q1", "f1"]);
    assert_eq!(heads[0].verdicts.reproduced, 2);
    assert_eq!((heads[3].profile, heads[3].seconds), (Profile::Quick, 1.5));
    assert_eq!(heads[0].reason.as_deref(), Some("a test"));
    assert_eq!(catalog.paper("other").await.unwrap().unwrap().verdicts, None);
    assert_eq!(catalog.latest_record("other").await.unwrap(), None);
}

#[tokio::test]
async fn a_record_is_never_replaced() {
    let catalog = Catalog::in_memory().await.unwrap();
    catalog.upsert(&[studied("gates")]).await.unwrap();
    let first = record("r", "gates", Profile::Full, 0, &[Reproduced]);
    assert!(catalog.add_record(&first).await.unwrap());
    let second = record("r", "gates", Profile::Full, 9, &[NotAtThisScale]);
    assert!(!catalog.add_record(&second).await.unwrap());
    assert_eq!(catalog.record("r").await.unwrap().unwrap(), first);
    assert_eq!(catalog.paper("gates").await.unwrap().unwrap().verdicts.unwrap().reproduced, 1);
    assert_eq!(catalog.record("none").await.unwrap(), None);
}

#[tokio::test]
async fn a_record_needs_a_paper_and_a_moment() {
    let catalog = Catalog::in_memory().await.unwrap();
    let stray = record("r", "none", Profile::Full, 0, &[]);
    let error = catalog.add_record(&stray).await.unwrap_err();
    assert!(matches!(&error, Error::UnknownStudy { slug } if slug == "none"), "{error}");
    let mut vague = stray;
    vague.started = "yesterday".into();
    let error = catalog.add_record(&vague).await.unwrap_err().to_string();
    assert!(error.starts_with("start of the record `yesterday` is not valid; expected"), "{error}");
}

#[tokio::test]
async fn a_change_of_verdicts_is_told_once_and_only_where_one_shows() {
    let catalog = Catalog::in_memory().await.unwrap();
    catalog.upsert(&[studied("gates"), studied("other")]).await.unwrap();
    for new in [
        record("q1", "gates", Profile::Quick, 10, &[NotAtThisScale]),
        // The same outcomes again are no news, and neither is a quick run after a full one.
        record("q2", "gates", Profile::Quick, 20, &[NotAtThisScale]),
        record("f1", "gates", Profile::Full, 30, &[Partly]),
        record("q3", "gates", Profile::Quick, 40, &[Reproduced]),
        record("f2", "gates", Profile::Full, 50, &[Partly]),
        record("f3", "gates", Profile::Full, 60, &[Reproduced]),
        record("o1", "other", Profile::Full, 55, &[NotTested]),
    ] {
        assert!(catalog.add_record(&new).await.unwrap());
    }
    let told = |changes: &[VerdictChange]| {
        let runs = changes.iter().map(|c| (c.head.run.clone(), c.before.map(|b| b.partly)));
        runs.collect::<Vec<_>>()
    };
    let of = |run: &str, partly| (run.to_owned(), partly);
    let all = catalog.verdict_changes(None, 10).await.unwrap();
    let expected = [of("f3", Some(1)), of("o1", None), of("f1", Some(0)), of("q1", None)];
    assert_eq!(told(&all), expected);
    assert_eq!(all[1].paper, "the-study-of-other");
    assert_eq!(all[0].head.verdicts.reproduced, 1);
    let own = catalog.verdict_changes(Some("gates"), 2).await.unwrap();
    assert_eq!(told(&own), [of("f3", Some(1)), of("f1", Some(0))]);
    let slugs = ["gates".to_owned(), "none".to_owned()];
    let recorded = catalog.recorded_at(&slugs).await.unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded["gates"], own[0].added_at);
    let ids = catalog.ids(1, 5).await.unwrap();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0].0, "the-study-of-other");
}
