//! A small catalogue, and the index over it.

use std::path::Path;

use pressrun_catalog::{Catalog, NewPaper};
use pressrun_search::{Request, Results, Search, embed};
use tempfile::TempDir;

/// Papers about three things, of which each has something that the others have not.
pub fn papers() -> Vec<NewPaper> {
    let paper = |title: &str, summary: &str, authors: &[&str], venue: &str, year: &str| NewPaper {
        title: title.into(),
        summary: summary.into(),
        authors: authors.iter().map(|name| (*name).to_owned()).collect(),
        venue: Some(venue.into()),
        published: Some(year.into()),
        ..NewPaper::default()
    };
    let mut papers = vec![
        paper(
            "Sparse Gates for Mixtures of Experts",
            "A gate sends each token to few experts. We train the gate with noise, and balance the \
             load of the experts by an auxiliary loss.",
            &["Ada King", "Geoffrey Hinton"],
            "iclr2021",
            "2021",
        ),
        paper(
            "Hash Layers Need No Gate",
            "Tokens are sent to experts by a hash. The experts of the mixture specialise anyway.",
            &["Max Born", "Hinton Long"],
            "nips2021",
            "2021-06",
        ),
        paper(
            "Depth from a Single Photograph",
            "We estimate the depth of a scene from one image with a convolutional network.",
            &["Ada Long"],
            "cvpr2019",
            "2019",
        ),
        paper(
            "Stereo Vision Revisited",
            "Two photographs give the depth of a scene by disparity. We estimate it in the image of one \
             eye with a network.",
            &["Grace Hopper"],
            "cvpr2021",
            "2021",
        ),
        paper(
            "Спарсные эксперты",
            "Обучение смеси экспертов. 学习专家混合模型。",
            &["Анна Иванова"],
            "iclr2023",
            "2023-02-01",
        ),
    ];
    papers[0].arxiv_id = Some("2101.00001".into());
    papers[0].category = Some("cs.LG".into());
    papers[0].tags = vec!["Gates and Experts".into()];
    papers[0].code_url = Some("https://example.org/gates".into());
    papers[2].category = Some("cs.CV".into());
    papers[4].id = "sparse-experts-ru".into();
    papers[1].slug = Some("hash-layers".into());
    papers
}

/// A catalogue of these papers with search over it, in a folder.
pub struct Site {
    pub folder: TempDir,
    pub catalog: Catalog,
    pub search: Search,
}

impl Site {
    pub async fn new() -> Self {
        Self::of(&papers()).await
    }

    pub async fn of(papers: &[NewPaper]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).await.unwrap();
        catalog.upsert(papers).await.unwrap();
        let search = open(folder.path());
        let site = Self { folder, catalog, search };
        site.catch_up().await;
        site
    }

    pub async fn catch_up(&self) -> u64 {
        self.search.catch_up(&self.catalog, None, &mut |_| {}).await.unwrap().papers
    }

    pub async fn results(&self, query: &str) -> Results {
        let query = query.parse().unwrap_or_else(|error| panic!("{query}: {error}"));
        self.search.search(Request { facets: true, ..Request::new(query) }).await.unwrap()
    }

    /// The ids of what is found, the best first.
    pub async fn ids(&self, query: &str) -> Vec<String> {
        self.results(query).await.hits.into_iter().map(|hit| hit.id).collect()
    }
}

pub fn open(folder: &Path) -> Search {
    Search::open(&folder.join("search"), embed::shipped().into()).unwrap()
}
