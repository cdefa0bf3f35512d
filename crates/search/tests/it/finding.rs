//! What is found, and in which order.

use std::sync::Arc;

use pressrun_catalog::{NewPaper, VerdictCounts};
use pressrun_search::{Mode, Request, Results, Runs, Suggestion, marks};

use crate::support::{Site, papers};

const GATES: &str = "2101.00001";
const HASH: &str = "hash-layers-need-no-gate";
const DEPTH: &str = "depth-from-a-single-photograph";
const STEREO: &str = "stereo-vision-revisited";
const RUSSIAN: &str = "sparse-experts-ru";

#[tokio::test]
async fn words_rank_and_names_count() {
    let site = Site::new().await;
    assert_eq!(site.ids("gating experts with noise").await[0], GATES);
    assert_eq!(site.ids("estimating depth from a photograph").await[0], DEPTH);
    // A name in the text of a query finds its papers.
    assert_eq!(site.ids("hopper").await[0], STEREO);
    assert_eq!(site.ids("cvpr 2019").await[0], DEPTH);
    assert_eq!(site.ids("обучение смеси").await[0], RUSSIAN);
    assert_eq!(site.ids("专家").await.len(), 1);
    // A word that nobody has, of which nothing is known either.
    assert_eq!(site.results("").await.total, 0);
}

#[tokio::test]
async fn a_paper_that_is_named_comes_first() {
    let site = Site::new().await;
    for query in ["arxiv:2101.00001v2", "2101.00001", "https://arxiv.org/abs/2101.00001"] {
        assert_eq!(site.ids(query).await[0], GATES, "{query}");
    }
    assert_eq!(site.ids(HASH).await[0], HASH);
    assert_eq!(site.ids("stereo vision, revisited!").await[0], STEREO);
    assert_eq!(site.results("Stereo Vision Revisited").await.hits[0].score, 1.0);
}

#[tokio::test]
async fn conditions_are_met_exactly() {
    let site = Site::new().await;
    let sorted = async |query: &str| {
        let mut ids = site.ids(query).await;
        ids.sort();
        ids
    };
    for (query, expected) in [
        ("author:hinton", vec![GATES, HASH]),
        ("author:\"geoffrey hinton\"", vec![GATES]),
        // Words of one name, not of two authors side by side.
        ("author:\"king geoffrey\"", vec![]),
        ("author:\"max hinton\"", vec![]),
        ("author:long year:2021", vec![HASH]),
        ("venue:cvpr", vec![DEPTH, STEREO]),
        ("venue:cvpr2021", vec![STEREO]),
        ("venue:cvpr2021 venue:nips", vec![HASH, STEREO]),
        ("year:..2019", vec![DEPTH]),
        ("year:2019 year:2021 -venue:iclr", vec![DEPTH, HASH, STEREO]),
        ("category:cs", vec![GATES, DEPTH]),
        ("category:CS.lg", vec![GATES]),
        ("tag:gates-and-experts", vec![GATES]),
        ("tag:\"gates and experts\"", vec![GATES]),
        ("has:code", vec![GATES]),
        ("-has:code -year:2023", vec![DEPTH, HASH, STEREO]),
        ("verdict:any", vec![]),
        ("\"mixture of experts\"", vec![GATES]),
        ("\"tokens are sent to experts\"", vec![HASH]),
        ("\"experts tokens\"", vec![]),
        ("\"depth\" -single", vec![STEREO]),
        ("experts -\"by a hash\" year:2021", vec![GATES]),
    ] {
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        expected.sort();
        // Words may bring in more by meaning; conditions never do.
        let found = sorted(query).await;
        if query.starts_with("experts") {
            assert!(found.contains(&expected[0]) && !found.contains(&HASH.to_owned()), "{query}");
        } else {
            assert_eq!(found, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn without_words_the_newest_come_first() {
    let site = Site::new().await;
    let found = site.results("year:2019..2023").await;
    assert_eq!(found.total, 5);
    assert_eq!(found.hits[0].id, RUSSIAN);
    assert_eq!(found.hits[1].id, HASH);
    assert_eq!(found.hits[4].id, DEPTH);
    assert!(found.hits.iter().all(|hit| hit.score == 0.0 && !hit.by_meaning_alone()));
}

#[tokio::test]
async fn facets_count_what_was_found() {
    let mut papers = papers();
    papers[3].slug = Some("stereo".into());
    let site = Site::of(&papers).await;

    #[derive(Debug)]
    struct Hash;
    impl Runs for Hash {
        fn runs(&self, slug: &str) -> bool {
            slug == "hash-layers"
        }
    }
    let request = |query: &str| Request {
        facets: true,
        limit: 1,
        runs: Arc::new(Hash),
        ..Request::new(query.parse().unwrap())
    };
    let found = site.search.search(request("year:2019..2021")).await.unwrap();
    let facets = found.facets.unwrap();
    assert_eq!((found.hits.len(), found.total), (1, 4));
    assert_eq!(facets.years, [(2021, 3), (2019, 1)]);
    let venues = [("cvpr".to_owned(), 2), ("iclr".to_owned(), 1), ("nips".to_owned(), 1)];
    assert_eq!(facets.venues, venues);
    assert_eq!(facets.categories, [("cs.CV".to_owned(), 1), ("cs.LG".to_owned(), 1)]);
    assert_eq!((facets.runs, facets.code), (1, 1));
    assert_eq!(facets.verdicts, VerdictCounts::default());
    let found = site.search.search(request("has:run")).await.unwrap();
    assert_eq!(found.hits[0].id, HASH);
    assert_eq!(found.total, 1);
}

#[tokio::test]
async fn pages_are_stretches_of_one_order() {
    let papers: Vec<NewPaper> = (0..450)
        .map(|i| NewPaper {
            title: format!("Gates number {i}"),
            summary: format!("Experts {} open the gate.", "and experts ".repeat(i % 7)),
            published: Some(format!("{}", 2000 + i % 20)),
            ..NewPaper::default()
        })
        .collect();
    let site = Site::of(&papers).await;
    let page = async |offset, limit| {
        let query = "experts gate open".parse().unwrap();
        let request = Request { offset, limit, ..Request::new(query) };
        let hits = site.search.search(request).await.unwrap().hits;
        hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    let all = page(0, 450).await;
    assert_eq!(all.len(), 450);
    let mut joined = Vec::new();
    for at in (0..450).step_by(90) {
        joined.extend(page(at, 90).await);
    }
    assert_eq!(joined, all);
    assert!(page(Results::MOST, 20).await.is_empty());
    // The same papers in another order of coming give the same order of results.
    let reversed: Vec<NewPaper> = papers.into_iter().rev().collect();
    let other = Site::of(&reversed).await;
    let query = "experts gate open".parse().unwrap();
    let hits =
        other.search.search(Request { limit: 30, ..Request::new(query) }).await.unwrap().hits;
    assert_eq!(hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>(), all[..30]);
}

#[tokio::test]
async fn a_hit_explains_itself() {
    let site = Site::new().await;
    let query = "hinton sparse gates 2021 iclr";
    let request = Request { explain: true, ..Request::new(query.parse().unwrap()) };
    let hits = site.search.search(request).await.unwrap().hits;
    for hit in &hits {
        let explanation = hit.explanation.as_ref().unwrap();
        let words: f32 = explanation.parts.iter().map(|(_, worth)| worth).sum();
        let lexical = if explanation.best > 0.0 { words / explanation.best } else { 0.0 };
        let weight = explanation.semantic_weight;
        let score = (1.0 - weight) * lexical + weight * hit.semantic;
        assert!((score - hit.score).abs() < 1e-4, "{hit:?}");
        assert!((lexical - hit.lexical).abs() < 1e-4, "{hit:?}");
        // The best paper's words are what all are divided by.
        let of_best = hits[0].explanation.as_ref().unwrap().best;
        assert!(words == 0.0 || (explanation.best - of_best).abs() < 1e-3 * of_best, "{hit:?}");
    }
    let parts = &hits[0].explanation.as_ref().unwrap().parts;
    for part in ["gate*", "gates", "author hinton", "venue iclr", "\"sparse gate\""] {
        assert!(parts.iter().any(|(name, _)| name == part), "{part}: {parts:?}");
    }
}

#[tokio::test]
async fn parts_of_the_ranking_on_their_own() {
    let site = Site::new().await;
    let by = |mode| {
        let request = Request::new("experts hash".parse().unwrap());
        site.search.index().search_by(mode, &request).unwrap().hits
    };
    let lexical = by(Mode::Lexical);
    assert_eq!(lexical[0].id, HASH);
    assert!(lexical.iter().all(|hit| hit.score == hit.lexical && hit.lexical > 0.0));
    let semantic = by(Mode::Semantic);
    assert_eq!(semantic.len(), 5);
    assert!(semantic.iter().all(|hit| (hit.score - hit.semantic).abs() < 1e-6));
    assert!(semantic.is_sorted_by(|a, b| a.score >= b.score));
}

#[tokio::test]
async fn marks_stand_where_the_words_do() {
    let site = Site::new().await;
    let found = site.results("gating the experts").await;
    let text = "A gate sends each token to few experts.";
    let marked: Vec<&str> = marks(text, &found.roots).into_iter().map(|at| &text[at]).collect();
    assert_eq!(marked, ["gate", "experts"]);
}

#[tokio::test]
async fn typing_brings_titles_and_people() {
    let site = Site::new().await;
    let suggest = |typed: &str| site.search.index().suggest(typed, 5).unwrap();
    let title = |suggestion: &Suggestion| match suggestion {
        Suggestion::Title { id, .. } => Some(id.clone()),
        Suggestion::Author { .. } => None,
    };
    let name = |suggestion: &Suggestion| match suggestion {
        Suggestion::Author { name, papers } => Some((name.clone(), *papers)),
        Suggestion::Title { .. } => None,
    };
    let titles = |typed: &str| suggest(typed).iter().filter_map(title).collect::<Vec<_>>();
    let names = |typed: &str| suggest(typed).iter().filter_map(name).collect::<Vec<_>>();
    assert_eq!(titles("gat"), [HASH, GATES]);
    assert_eq!(titles("stereo vis"), [STEREO]);
    assert_eq!(titles("vision ster"), [STEREO]);
    assert!(titles("vision stereos").is_empty());
    let people = [("Geoffrey Hinton".to_owned(), 1), ("Hinton Long".to_owned(), 1)];
    assert_eq!(names("hint"), people);
    assert_eq!(names("hinton g"), people[..1]);
    assert_eq!(names("ada"), [("Ada King".to_owned(), 1), ("Ada Long".to_owned(), 1)]);
    assert_eq!(names("анна"), [("Анна Иванова".to_owned(), 1)]);
    for nothing in ["", "g", " - ", "zzz"] {
        assert!(suggest(nothing).is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn neighbours_in_meaning() {
    let site = Site::new().await;
    let related = site.search.index().related(DEPTH, 3);
    assert!(related.iter().all(|other| other.id != DEPTH));
    assert!(related.is_sorted_by(|a, b| a.similarity >= b.similarity));
    assert!(related.iter().any(|other| other.id == STEREO), "{related:?}");
    assert!(site.search.index().related("no such paper", 3).is_empty());
}
