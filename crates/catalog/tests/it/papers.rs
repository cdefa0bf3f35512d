//! Taking papers in.

use jiff::civil::date;
use pressrun_catalog::{Catalog, Constraint, Error, NewPaper};
use pressrun_lab::Manifest;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{everything, listed, studied, titled};

#[tokio::test]
async fn a_paper_comes_back_as_it_was_stated() {
    let catalog = Catalog::in_memory().await.unwrap();
    let stated = NewPaper {
        id: String::new(),
        slug: Some("gates".into()),
        title: "Gates that open".into(),
        summary: "We open gates.\n\nThey stay open.".into(),
        authors: vec!["Ada King".into(), "Max Born".into(), "Ada King".into()],
        published: Some("2023-01-25".into()),
        listed: Some(date(2025, 9, 9)),
        category: Some("cs.LG".into()),
        arxiv_id: Some("2301.10909v3".into()),
        doi: Some("https://doi.org/10.1145/ABC".into()),
        venue: Some("WWW".into()),
        code_url: Some("https://example.org/gates".into()),
        code_licence: Some("MIT".into()),
        project_url: Some("https://gates.example".into()),
        tags: vec!["gates".into(), "mixture of experts".into()],
    };
    let done = catalog.upsert(std::slice::from_ref(&stated)).await.unwrap();
    assert_eq!((done.added, done.updated, done.unchanged), (1, 0, 0));
    assert_eq!(done.ids, ["2301.10909"]);
    for name in ["2301.10909", "gates"] {
        let paper = catalog.paper(name).await.unwrap().unwrap();
        let back = NewPaper {
            id: String::new(),
            slug: paper.slug,
            title: paper.title,
            summary: paper.summary,
            authors: paper.authors,
            published: paper.published,
            listed: paper.listed,
            category: paper.category,
            arxiv_id: paper.arxiv_id,
            doi: paper.doi,
            venue: paper.venue,
            code_url: paper.code_url,
            code_licence: paper.code_licence,
            project_url: paper.project_url,
            tags: paper.tags,
        };
        let expected = NewPaper {
            arxiv_id: Some("2301.10909".into()),
            doi: Some("10.1145/abc".into()),
            ..stated.clone()
        };
        assert_eq!(back, expected);
        assert_eq!((paper.votes, paper.comments, paper.verdicts), (0, 0, None));
        assert!((jiff::Timestamp::now() - paper.added_at).as_hours() == 0);
    }
    assert_eq!(catalog.paper("gates-that-open").await.unwrap(), None);
    let again = catalog.upsert(&[stated]).await.unwrap();
    assert_eq!((again.added, again.updated, again.unchanged), (0, 0, 1));
}

#[tokio::test]
async fn a_listed_paper_meets_its_manifest_in_either_order() {
    let manifest = Manifest::parse(
        "slug = \"gates\"\ntitle = \"Gates That Open\"\nabstract = \"We open gates.\"\n\
         authors = [\"Ada King\"]\npublished = \"2023-01\"\nlisted = \"2025-09-09\"\n\
         arxiv_id = \"2301.10909\"\nfamily = \"gates\"\n\
         [code]\nurl = \"https://example.org\"\nlicence = \"MIT\"\n",
        "gates",
    )
    .unwrap();
    let stated = NewPaper::from_manifest(&manifest);
    assert_eq!(stated.id, "2301.10909");
    assert_eq!(stated.code_licence.as_deref(), Some("MIT"));
    let line = listed("Gates that open", date(2025, 9, 10));
    for (order, id) in
        [([stated.clone(), line.clone()], "2301.10909"), ([line, stated], "gates-that-open")]
    {
        let catalog = Catalog::in_memory().await.unwrap();
        for paper in order {
            catalog.upsert(&[paper]).await.unwrap();
        }
        assert_eq!(catalog.count_papers().await.unwrap(), 1);
        // Whatever its id, it is found by every name.
        for name in [id, "2301.10909", "gates"] {
            let paper = catalog.paper(name).await.unwrap().unwrap();
            assert_eq!((paper.id.as_str(), paper.authors.len()), (id, 1), "{name}");
        }
    }
}

#[tokio::test]
async fn corrected_authors_are_the_ones_that_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path()).await.unwrap();
    let by = |names: &[&str]| NewPaper {
        authors: names.iter().map(|&n| n.to_owned()).collect(),
        arxiv_id: Some("2301.10909".into()),
        ..titled("Gates")
    };
    catalog.upsert(&[by(&["A", "B", "A", "C"])]).await.unwrap();
    catalog.upsert(&[by(&["A", "A", "D"])]).await.unwrap();
    let paper = catalog.paper("2301.10909").await.unwrap().unwrap();
    assert_eq!(paper.authors, ["A", "A", "D"]);
    // The rows by which a person's papers are found say the same.
    let url = format!("sqlite://{}/pressrun.sqlite", folder.path().display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT position, name FROM paper_authors ORDER BY position")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(rows, [(0, "A".into()), (1, "A".into()), (2, "D".into())]);
}

#[tokio::test]
async fn all_or_none() {
    let catalog = Catalog::in_memory().await.unwrap();
    let bad = NewPaper { arxiv_id: Some("none".into()), ..titled("Two") };
    let error = catalog.upsert(&[titled("One"), bad]).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { what: "arXiv id", .. }), "{error}");
    assert_eq!(catalog.count_papers().await.unwrap(), 0);
    let nothing = catalog.upsert(&[]).await.unwrap();
    assert_eq!(nothing.added, 0);
}

#[tokio::test]
async fn a_study_that_is_renamed_takes_its_records_along() {
    let catalog = Catalog::in_memory().await.unwrap();
    let paper = |slug: &str| NewPaper { arxiv_id: Some("2301.10909".into()), ..studied(slug) };
    catalog.upsert(&[paper("old")]).await.unwrap();
    let run = catalog.enqueue("old", pressrun_lab::Profile::Quick, None, None).await.unwrap();
    catalog.upsert(&[paper("new")]).await.unwrap();
    assert_eq!(catalog.run(&run.id).await.unwrap().unwrap().slug, "new");
    assert_eq!(catalog.paper("old").await.unwrap(), None);
}

#[tokio::test]
async fn many_at_once_and_many_of_one_title() {
    let catalog = Catalog::in_memory().await.unwrap();
    let papers: Vec<NewPaper> = (0..1500)
        .map(|n| NewPaper {
            authors: vec![format!("Author Number{n}"), "Second".into()],
            ..titled("Editorial")
        })
        .collect();
    let done = catalog.upsert(&papers).await.unwrap();
    assert_eq!(done.added, 1500);
    let mut ids = done.ids.clone();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1500);
    let again = catalog.upsert(&papers).await.unwrap();
    assert_eq!((again.unchanged, again.ids), (1500, done.ids));
}

#[test]
fn names_of_constraints_are_told_apart() {
    let mut names: Vec<&str> = Constraint::ALL.iter().map(|c| c.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Constraint::ALL.len());
    let error = Error::Constraint(Constraint::PaperDoi);
    assert_eq!(error.to_string(), "another paper has that DOI");
}

/// Papers of few titles, authors and ids, so that they meet in every possible way.
fn papers() -> impl Strategy<Value = Vec<NewPaper>> {
    let one = (
        prop::sample::select(vec!["T", "t!", "U", "V"]),
        prop::collection::vec(prop::sample::select(vec!["Ada King", "Max Born"]), 0..3),
        prop::option::of(prop::sample::select(vec!["2301.00001", "2301.00002v2"])),
        prop::option::weighted(0.3, prop::sample::select(vec!["10.1/a", "10.1/B"])),
        prop::sample::select(vec!["", "a", "ab", "x"]),
        prop::option::of(1_i8..4),
    );
    let one = one.prop_map(|(title, authors, arxiv_id, doi, summary, day)| NewPaper {
        summary: summary.into(),
        authors: authors.into_iter().map(str::to_owned).collect(),
        arxiv_id: arxiv_id.map(str::to_owned),
        doi: doi.map(str::to_owned),
        listed: day.map(|day| date(2025, 9, day)),
        ..titled(title)
    });
    prop::collection::vec(one, 0..14)
}

/// Any list twice equals once, and however it is cut into batches.
#[test]
fn any_list_twice_equals_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(60) });
    let strategy = (papers(), 1_usize..6);
    let result = runner.run(&strategy, |(papers, batch)| {
        runtime.block_on(async {
            let (whole, cut) =
                (Catalog::in_memory().await.unwrap(), Catalog::in_memory().await.unwrap());
            whole.upsert(&papers).await.unwrap();
            for part in papers.chunks(batch) {
                cut.upsert(part).await.unwrap();
            }
            let once = everything(&whole).await;
            prop_assert_eq!(&everything(&cut).await, &once);
            for catalog in [&whole, &cut] {
                let done = catalog.upsert(&papers).await.unwrap();
                prop_assert_eq!(done.added, 0);
                prop_assert_eq!(&everything(catalog).await, &once);
            }
            Ok(())
        })
    });
    result.unwrap();
}
