//! How well and how fast recommendations find what somebody would have kept.
//!
//!     cargo xtask bench recommend --corpus FILE [--all]
//!
//! A corpus names no readers; authors stand for them, because the model does not know who wrote a paper.
//! A library is what one author wrote (of those with 20 to 60 papers), or what four wrote, as a reader with
//! several interests has it. One paper after the other is left out; a recipe is as good as the place at
//! which it recommends that paper, among all that are not in the library. Two papers for each author, to
//! have an end. With `--all`, recipes beside the default one are tried as well.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use pressrun_catalog::{Catalog, import};
use pressrun_search::recommend::{Likes, Method, Recipe, Wanted};
use pressrun_search::{Index, Search, embed};
use serde_json::json;

/// Libraries of one author; four make one of several.
const LIBRARIES: usize = 80;
/// Papers that are left out, one after the other, for each author.
const LEFT_OUT: usize = 2;
/// Places looked at.
const PLACES: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (corpus, all) = match arguments.as_slice() {
        [corpus] => (corpus, false),
        [corpus, flag] if flag == "--all" => (corpus, true),
        _ => return Err("usage: recommend CORPUS [--all]".into()),
    };
    let folder = tempfile::tempdir()?;
    let catalog = Catalog::open(folder.path()).await?;
    import::import_file(&catalog, Path::new(corpus), &import::Options::default(), &mut |_| {})
        .await?;
    let search = Search::open(&folder.path().join("search"), embed::shipped().into())?;
    search.catch_up(&catalog, None, &mut |_| {}).await?;
    let index = search.index();
    let libraries = libraries(&catalog).await?;
    speed(&index, &libraries);
    let mut recipes = vec![
        ("both, svm", Recipe::default()),
        ("vectors, svm", Recipe { vectors: 1.0, ..Recipe::default() }),
        ("words, svm", Recipe { vectors: 0.0, ..Recipe::default() }),
        ("vectors, mean", Recipe { vectors: 1.0, method: Method::Mean, ..Recipe::default() }),
        ("words, mean", Recipe { vectors: 0.0, method: Method::Mean, ..Recipe::default() }),
        ("both, mean", Recipe { method: Method::Mean, ..Recipe::default() }),
    ];
    if all {
        for (vectors, cost, sample) in [
            (0.1, 1.0, 1000),
            (0.3, 1.0, 1000),
            (0.5, 1.0, 1000),
            (0.3, 10.0, 1000),
            (0.5, 10.0, 1000),
            (0.3, 0.3, 1000),
            (0.3, 1.0, 3000),
            (0.3, 10.0, 3000),
        ] {
            recipes.push(("tried", Recipe { vectors, cost, sample, ..Recipe::default() }));
        }
    }
    for (name, recipe) in recipes {
        for (kind, libraries) in [("one author", &libraries), ("four authors", &joined(&libraries))]
        {
            println!("{}", quality(&index, name, kind, &recipe, libraries));
        }
    }
    Ok(())
}

/// What authors wrote, by name, spread over the alphabet.
async fn libraries(catalog: &Catalog) -> Result<Vec<Vec<String>>, Box<dyn std::error::Error>> {
    let mut by_author: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut after = 0;
    loop {
        let papers = catalog.changes(after, 2000).await?;
        let Some((revision, _)) = papers.last() else { break };
        after = *revision;
        for (_, paper) in papers {
            for author in paper.authors {
                by_author.entry(author).or_default().push(paper.id.clone());
            }
        }
    }
    let fit: Vec<Vec<String>> =
        by_author.into_values().filter(|papers| (20..=60).contains(&papers.len())).collect();
    let step = (fit.len() / LIBRARIES).max(1);
    Ok(fit.into_iter().step_by(step).take(LIBRARIES).collect())
}

/// Four libraries as one, of authors far from each other in the alphabet.
fn joined(libraries: &[Vec<String>]) -> Vec<Vec<String>> {
    let count = libraries.len() / 4;
    let join = |i: usize| {
        let mut joined: Vec<String> =
            (0..4).flat_map(|j| libraries[i + j * count].iter().cloned()).collect();
        joined.sort();
        joined.dedup();
        joined
    };
    (0..count).map(join).collect()
}

fn quality(
    index: &Index,
    name: &str,
    kind: &str,
    recipe: &Recipe,
    libraries: &[Vec<String>],
) -> serde_json::Value {
    let left_out_of_each = LEFT_OUT * LIBRARIES / libraries.len().max(1);
    let (mut asked, mut reciprocal, mut in_ten, mut in_hundred) = (0, 0.0, 0, 0);
    for library in libraries {
        for i in 0..left_out_of_each {
            let left_out = &library[i * library.len() / left_out_of_each];
            let liked: Vec<String> = library.iter().filter(|id| *id != left_out).cloned().collect();
            let likes = Likes { known: liked.clone(), liked, disliked: Vec::new() };
            let wanted = Wanted { since: None, most: PLACES };
            let found = index.recommend(&likes, wanted, recipe);
            let papers = found.map(|found| found.papers).unwrap_or_default();
            asked += 1;
            if let Some(place) = papers.iter().position(|paper| paper.id == *left_out) {
                reciprocal += 1.0 / (place + 1) as f64;
                in_ten += usize::from(place < 10);
                in_hundred += usize::from(place < 100);
            }
        }
    }
    let share = |count: usize| rounded(count as f64 / asked as f64);
    json!({
        "recipe": name, "library": kind, "vectors": recipe.vectors, "cost": recipe.cost,
        "sample": recipe.sample, "asked": asked, "mrr": rounded(reciprocal / asked as f64),
        "in_10": share(in_ten), "in_100": share(in_hundred),
    })
}

/// Time of a question with a hundred liked papers, to an index that has counted its words.
fn speed(index: &Index, libraries: &[Vec<String>]) {
    let liked: Vec<String> = libraries.iter().flatten().take(100).cloned().collect();
    let likes = Likes { known: liked.clone(), liked, disliked: Vec::new() };
    let newest = jiff::civil::date(2024, 6, 1);
    for (papers, since) in [("all", None), ("since 2024-06", Some(newest))] {
        let wanted = Wanted { since, most: 200 };
        let mut times = Vec::new();
        for _ in 0..21 {
            let begun = Instant::now();
            let found = index.recommend(&likes, wanted, &Recipe::default());
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            assert!(found.is_some());
        }
        let first = times.remove(0);
        times.sort_by(f64::total_cmp);
        println!(
            "{}",
            json!({
                "papers": papers, "of": index.len(), "liked": likes.liked.len(),
                "first_ms": rounded(first), "p50_ms": rounded(times[10]), "worst_ms": rounded(times[19]),
            })
        );
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
