//! What is recommended, by whom it was learnt, and that it is the same each time.

use std::sync::Arc;

use jiff::civil::date;
use pressrun_catalog::NewPaper;
use pressrun_search::query::Query;
use pressrun_search::recommend::{
    Likes, Method, Recipe, Recommendation, Recommended, Wanted, words_of,
};
use pressrun_search::{Request, terms};

use crate::support::Site;

/// Forty papers about each of three things, of which each has words that the others have not, and no
/// paper has one of its own.
fn papers() -> Vec<NewPaper> {
    let topics = [
        ("gates", "Sparse gates route tokens", ["mixture", "routing", "load", "experts"]),
        ("depth", "Depth of a scene", ["stereo", "camera", "image", "disparity"]),
        ("folds", "Folding of proteins", ["protein", "molecule", "binding", "residue"]),
    ];
    let (kinds, ways) = (
        ["new", "simple", "fast", "robust", "small"],
        ["view", "way", "limit", "test", "survey", "theory", "proof", "look"],
    );
    let mut papers = Vec::new();
    for (topic, title, words) in topics {
        for i in 0..40 {
            let ([a, b], kind, way) =
                ([words[i % 4], words[(i / 4 + 1) % 4]], kinds[i % 5], ways[i / 5]);
            papers.push(NewPaper {
                id: format!("{topic}-{i:02}"),
                title: format!("{title}: a {kind} {way}"),
                summary: format!(
                    "We study {a} and {b} in {topic}. The {a} is {b}, a {kind} {way}."
                ),
                listed: Some(date(2025, 9, 1 + (i % 28) as i8)),
                ..NewPaper::default()
            });
        }
    }
    papers
}

fn ids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn likes(liked: &[&str], disliked: &[&str]) -> Likes {
    let known = [ids(liked), ids(disliked)].concat();
    Likes { liked: ids(liked), disliked: ids(disliked), known }
}

const ALL: Wanted = Wanted { since: None, most: 1000 };

fn ask(site: &Site, likes: &Likes) -> Option<Recommended> {
    site.search.index().recommend(likes, ALL, &Recipe::default())
}

fn score(found: &Recommended, id: &str) -> f32 {
    let is = |paper: &&Recommendation| paper.id == id;
    found.papers.iter().find(is).unwrap_or_else(|| panic!("`{id}` is not there")).score
}

/// Of so many first papers, how many are about it.
fn about(found: &Recommended, topic: &str, first: usize) -> usize {
    found.papers.iter().take(first).filter(|paper| paper.id.starts_with(topic)).count()
}

#[tokio::test]
async fn one_liked_paper_finds_its_like() {
    let site = Site::of(&papers()).await;
    let found = ask(&site, &likes(&["gates-00"], &[])).unwrap();
    assert_eq!(found.papers.len(), 119);
    // A third of the sample is about gates too, and votes against what it shares words with.
    assert!(about(&found, "gates", 39) >= 30, "{}", about(&found, "gates", 39));
    assert!(found.papers.is_sorted_by(|a, b| a.score >= b.score));
    assert_eq!((found.taste.liked, found.taste.disliked, found.taste.sample), (1, 0, 32));
    // Each says why.
    let best = &found.papers[0];
    assert_eq!(best.nearest.as_ref().unwrap().id, "gates-00");
    assert!(best.nearest.as_ref().unwrap().similarity > 0.5 && best.meaning > 0.0, "{best:?}");
    let numbers: Vec<u32> = best.words.iter().map(|(number, _)| *number).collect();
    let text = "Sparse gates route tokens to experts mixture routing load number study";
    assert!(!words_of(text, &numbers).is_empty(), "{best:?}");
    // The words of the model are those that set these papers apart.
    let named = |word: &str| found.taste.words_for.iter().any(|w| w.number == terms::number(word));
    assert!(named("gate") && !named("depth") && !named("study"), "{:?}", found.taste.words_for);
    let against: Vec<u32> = found.taste.words_against.iter().map(|w| w.number).collect();
    let others = ["depth", "scene", "folding", "protein", "fold"].map(terms::number);
    assert!(others.iter().any(|w| against.contains(w)), "{:?}", found.taste.words_against);
    assert!((0.05..0.95).contains(&found.taste.vector_share), "{}", found.taste.vector_share);
    assert!(found.taste.words_for.is_sorted_by(|a, b| a.weight >= b.weight));
}

#[tokio::test]
async fn what_is_not_liked_is_never_shown_and_pulls_its_like_down() {
    let site = Site::of(&papers()).await;
    let liked = ["gates-00", "gates-05", "depth-00", "depth-05"];
    let before = ask(&site, &likes(&liked, &[])).unwrap();
    let after = ask(&site, &likes(&liked, &["depth-10", "depth-11", "depth-15"])).unwrap();
    assert!(
        after.papers.iter().all(|paper| !["depth-10", "depth-11"].contains(&paper.id.as_str()))
    );
    assert_eq!(after.papers.len(), before.papers.len() - 3);
    assert_eq!(after.taste.disliked, 3);
    // Both topics were liked alike; now one is less.
    let mean = |found: &Recommended, topic: &str| {
        let of: Vec<f32> =
            found.papers.iter().filter(|p| p.id.starts_with(topic)).map(|p| p.score).collect();
        of.iter().sum::<f32>() / of.len() as f32
    };
    let (gates, depth) = (
        mean(&after, "gates") - mean(&before, "gates"),
        mean(&after, "depth") - mean(&before, "depth"),
    );
    assert!(depth < gates - 0.1, "depth {depth}, gates {gates}");
    assert!(score(&after, "depth-14") < score(&before, "depth-14"));
    assert!(about(&after, "gates", 30) > about(&before, "gates", 30), "first thirty");
}

#[tokio::test]
async fn the_same_question_has_the_same_answer_whatever_the_order() {
    let site = Site::of(&papers()).await;
    let first = ask(&site, &likes(&["gates-00", "depth-05", "gates-07"], &["folds-03"]));
    let again = ask(&site, &likes(&["gates-07", "gates-00", "depth-05"], &["folds-03"]));
    assert_eq!(first, again);
    // Another index of the same papers, put in in another order, agrees but for rounding.
    let mut turned = papers();
    turned.reverse();
    let other = Site::of(&turned).await;
    let other = ask(&other, &likes(&["gates-00", "depth-05", "gates-07"], &["folds-03"])).unwrap();
    let first = first.unwrap();
    for paper in &first.papers {
        assert!((score(&other, &paper.id) - paper.score).abs() < 1e-3, "{}", paper.id);
    }
}

#[tokio::test]
async fn without_a_liked_paper_nothing_is_recommended() {
    let site = Site::of(&papers()).await;
    assert_eq!(ask(&site, &Likes::default()), None);
    assert_eq!(ask(&site, &likes(&["unknown"], &[])), None);
    assert_eq!(ask(&site, &likes(&[], &["gates-00", "depth-00"])), None);
    // Liked and not: the no counts.
    assert_eq!(ask(&site, &likes(&["gates-00"], &["gates-00"])), None);
    // Everything is known already.
    let all: Vec<String> = papers().into_iter().map(|paper| paper.id).collect();
    let likes = Likes { known: all, ..likes(&["gates-00"], &[]) };
    assert!(ask(&site, &likes).unwrap().papers.is_empty());
    // A site of one paper.
    let one = Site::of(&papers()[..1]).await;
    let found = ask(&one, &self::likes(&["gates-00"], &[])).unwrap();
    assert_eq!((found.papers.len(), found.taste.sample), (0, 0));
}

#[tokio::test]
async fn a_window_begins_with_its_day() {
    let site = Site::of(&papers()).await;
    let likes = likes(&["gates-00"], &[]);
    let index = site.search.index();
    let since = |day| Wanted { since: Some(date(2025, 9, day)), most: 1000 };
    let found = index.recommend(&likes, since(27), &Recipe::default()).unwrap();
    assert_eq!(found.papers.len(), 6);
    assert!(found.papers.iter().all(|paper| paper.dated >= 20_250_927));
    // The score of a paper does not depend on the others that are asked for.
    let all = ask(&site, &likes).unwrap();
    assert!(found.papers.iter().all(|paper| score(&all, &paper.id) == paper.score));
    let few = index.recommend(&likes, Wanted { since: None, most: 5 }, &Recipe::default()).unwrap();
    assert_eq!(few.papers, all.papers[..5]);
    let none = index.recommend(&likes, Wanted { since: None, most: 0 }, &Recipe::default());
    assert!(none.unwrap().papers.is_empty());
}

#[tokio::test]
async fn counts_follow_the_index() {
    let all = papers();
    let site = Site::of(&all[..60]).await;
    let likes = likes(&["gates-00"], &[]);
    assert_eq!(ask(&site, &likes).unwrap().papers.len(), 59);
    // More papers, and some that are other ones than before.
    site.catalog.upsert(&all[60..]).await.unwrap();
    let changed: Vec<NewPaper> = all[..20]
        .iter()
        .map(|paper| NewPaper { summary: format!("{} Again.", paper.summary), ..paper.clone() })
        .collect();
    site.catalog.upsert(&changed).await.unwrap();
    site.search.catch_up(&site.catalog, None, &mut |_| {}).await.unwrap();
    let followed = ask(&site, &likes).unwrap();
    assert_eq!(followed.papers.len(), 119);
    // As an index that has seen nothing else.
    let fresh = Site::of(&[&changed[..], &all[20..]].concat()).await;
    let fresh = ask(&fresh, &likes).unwrap();
    for paper in &fresh.papers {
        assert!((score(&followed, &paper.id) - paper.score).abs() < 1e-3, "{}", paper.id);
    }
}

#[tokio::test]
async fn words_and_vectors_alone_work_as_well() {
    let site = Site::of(&papers()).await;
    let index = site.search.index();
    let likes = likes(&["folds-00", "folds-09"], &[]);
    for vectors in [0.0, 1.0] {
        for method in [Method::Svm, Method::Mean] {
            let recipe = Recipe { vectors, method, ..Recipe::default() };
            let found = index.recommend(&likes, ALL, &recipe).unwrap();
            assert!(about(&found, "folds", 38) >= 25, "{recipe:?}: {}", about(&found, "folds", 38));
            let share = found.taste.vector_share;
            assert!((share - vectors).abs() < 1e-4, "{recipe:?}: {share}");
        }
    }
}

#[tokio::test]
async fn a_search_may_be_within_some_papers() {
    let site = Site::of(&papers()).await;
    let own: Arc<[String]> = ids(&["gates-03", "depth-04", "folds-01", "unknown"]).into();
    let ask = async |query: &str, within: Option<Arc<[String]>>| {
        let query: Query = query.parse().unwrap();
        let request = Request { within, facets: true, ..Request::new(query) };
        site.search.search(request).await.unwrap()
    };
    let found = ask("sparse gates", Some(Arc::clone(&own))).await;
    assert_eq!(found.hits[0].id, "gates-03");
    // The best of those that are allowed has all of the words' share, as if there were no others.
    assert_eq!(found.hits[0].lexical, 1.0);
    assert!(found.hits.iter().all(|hit| own.contains(&hit.id)), "{found:?}");
    assert_eq!(found.total, found.hits.len());
    assert!(ask("sparse gates", None).await.total >= 40);
    let dated = ask("year:2025", Some(Arc::clone(&own))).await;
    assert_eq!((dated.total, dated.facets.unwrap().years), (3, vec![(2025, 3)]));
    // A paper that the query names is not let in by that.
    assert!(ask("gates-07", Some(own)).await.hits.iter().all(|hit| hit.id != "gates-07"));
    assert_eq!(ask("sparse gates", Some(Vec::new().into())).await.total, 0);
}
