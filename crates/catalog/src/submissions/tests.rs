use super::*;
use crate::people::{Email, Role};

async fn catalog() -> (Catalog, i64, i64) {
    let catalog = Catalog::in_memory().await.unwrap();
    let paper = NewPaper {
        title: "Gates".into(),
        arxiv_id: Some("2301.00001".into()),
        published: Some("2023-01-02".into()),
        ..NewPaper::default()
    };
    catalog.upsert(&[paper]).await.unwrap();
    let mut people = Vec::new();
    for name in ["ada", "max"] {
        let email: Email = format!("{name}@example.org").parse().unwrap();
        people.push(catalog.add_person(&email, Role::Reader).await.unwrap().id);
    }
    (catalog, people[0], people[1])
}

fn draft(title: &str) -> NewPaper {
    NewPaper {
        id: "2301.00001".into(),
        slug: Some("evomoe".into()),
        listed: Some(jiff::civil::date(2025, 9, 9)),
        title: title.into(),
        authors: vec!["Ada King".into()],
        ..NewPaper::default()
    }
}

fn number(submitted: Submitted) -> i64 {
    match submitted {
        Submitted::Waiting(id) => id,
        Submitted::Known(paper) => panic!("known as {paper}"),
    }
}

#[tokio::test]
async fn a_draft_is_a_paper_once_a_curator_takes_it() {
    let (catalog, ada, max) = catalog().await;
    let new = draft("Doors");
    let id = number(catalog.submit(ada, Proposal::Draft(&new), " please ").await.unwrap());
    // The same once more is the same submission.
    let again = catalog.submit(ada, Proposal::Draft(&new), "").await.unwrap();
    assert_eq!(again, Submitted::Waiting(id));
    assert_eq!(catalog.count_papers().await.unwrap(), 1);
    let waiting = catalog.waiting_submissions().await.unwrap();
    assert_eq!((waiting.len(), waiting[0].remark.as_str()), (1, "please"));
    // Neither id, study nor day is for the person to say.
    let About::Draft(stored) = &waiting[0].about else { panic!("{waiting:?}") };
    assert_eq!((stored.id.as_str(), &stored.slug, stored.listed), ("", &None, None));

    assert!(!catalog.edit_submission(id, max, &draft("Mine"), "").await.unwrap());
    assert!(!catalog.withdraw_submission(id, max).await.unwrap());
    assert!(catalog.edit_submission(id, ada, &draft("Doors that open"), "").await.unwrap());
    let day = jiff::civil::date(2025, 9, 10);
    let paper = catalog.accept_submission(id, max, Some(day)).await.unwrap().unwrap();
    assert_eq!(paper, "doors-that-open");
    let stored = catalog.paper(&paper).await.unwrap().unwrap();
    assert_eq!((stored.listed, stored.authors.len()), (Some(day), 1));
    assert_eq!(catalog.accept_submission(id, max, None).await.unwrap(), None);
    assert_eq!(catalog.submitters(&[paper.as_str()]).await.unwrap()[&paper].id, ada);
    let of_ada = catalog.submitted_by(ada, &ListQuery::default()).await.unwrap();
    assert_eq!(of_ada[0].id, paper);
    // With the account the name goes, and the paper stays.
    catalog.delete_person(ada).await.unwrap();
    assert!(catalog.submitters(&[paper.as_str()]).await.unwrap().is_empty());
    assert!(catalog.paper(&paper).await.unwrap().is_some());
}

#[tokio::test]
async fn a_known_paper_is_never_overwritten_by_a_draft() {
    let (catalog, ada, max) = catalog().await;
    let mut false_one = draft("Something else");
    false_one.arxiv_id = Some("2301.00001v2".into());
    let known = catalog.submit(ada, Proposal::Draft(&false_one), "").await.unwrap();
    assert_eq!(known, Submitted::Known("2301.00001".into()));
    // It comes in after the draft.
    false_one.arxiv_id = Some("2301.00002".into());
    let id = number(catalog.submit(ada, Proposal::Draft(&false_one), "").await.unwrap());
    let right = NewPaper {
        title: "Experts".into(),
        arxiv_id: Some("2301.00002".into()),
        ..NewPaper::default()
    };
    catalog.upsert(&[right]).await.unwrap();
    assert_eq!(catalog.accept_submission(id, max, None).await.unwrap().unwrap(), "2301.00002");
    assert_eq!(catalog.paper("2301.00002").await.unwrap().unwrap().title, "Experts");
}

#[tokio::test]
async fn papers_are_put_on_days_and_taken_off() {
    let (catalog, ada, max) = catalog().await;
    let proposal = Proposal::Paper("2301.00001");
    let id = number(catalog.submit(ada, proposal, "").await.unwrap());
    assert_eq!(catalog.submit(max, proposal, "").await.unwrap(), Submitted::Waiting(id));
    assert!(catalog.submit(ada, Proposal::Paper("x"), "").await.is_err());
    assert!(catalog.decline_submission(id, max, "Not ours.").await.unwrap());
    assert!(!catalog.decline_submission(id, max, "").await.unwrap());
    let of_ada = catalog.submissions_of(ada).await.unwrap();
    assert_eq!(of_ada[0].state, SubmissionState::Declined);
    assert_eq!(of_ada[0].answer, "Not ours.");
    let before = catalog.revision().await.unwrap();
    let day = jiff::civil::date(2025, 9, 9);
    catalog.put_on_list("2301.00001", Some(day)).await.unwrap();
    assert!(catalog.revision().await.unwrap() > before);
    assert_eq!(catalog.latest_day().await.unwrap(), Some(day));
    catalog.put_on_list("2301.00001", None).await.unwrap();
    assert_eq!(catalog.latest_day().await.unwrap(), None);
    let place = crate::Place::of(&catalog.paper("2301.00001").await.unwrap().unwrap());
    assert_eq!(place.dated, "2023-01-02");
    assert!(catalog.put_on_list("x", None).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_a_paper_is_told() {
    let (catalog, ada, _) = catalog().await;
    let submit = async |change: &dyn Fn(&mut NewPaper), says: &str| {
        let mut paper = draft("Doors");
        change(&mut paper);
        catalog.submit(ada, Proposal::Draft(&paper), says).await.unwrap_err().to_string()
    };
    assert!(submit(&|p| p.title = " ".into(), "").await.contains("title"));
    assert!(submit(&|p| p.doi = Some("x".into()), "").await.contains("DOI"));
    let script = |p: &mut NewPaper| p.code_url = Some("javascript:alert(1)".into());
    assert!(submit(&script, "").await.contains("https://github.com/"));
    assert!(submit(&|p| p.summary = "x".repeat(50_000), "").await.contains("40,000"));
    assert!(submit(&|_| {}, &"x".repeat(1001)).await.contains("1,000"));
    for (code, project) in [(Some("javascript:x"), None), (None, Some("x"))] {
        assert!(catalog.set_links("2301.00001", code, project).await.is_err());
    }
    catalog.set_links("2301.00001", Some("https://a.example/x"), None).await.unwrap();
    catalog.set_links("2301.00001", None, Some("https://b.example")).await.unwrap();
    let paper = catalog.paper("2301.00001").await.unwrap().unwrap();
    assert_eq!(paper.code_url.as_deref(), Some("https://a.example/x"));
    assert_eq!(paper.project_url.as_deref(), Some("https://b.example"));
    catalog.set_links("2301.00001", Some(""), None).await.unwrap();
    assert_eq!(catalog.paper("2301.00001").await.unwrap().unwrap().code_url, None);
    for at in 0..MAX_WAITING {
        let paper = draft(&format!("Paper {at}"));
        number(catalog.submit(ada, Proposal::Draft(&paper), "").await.unwrap());
    }
    assert!(submit(&|_| {}, "").await.contains("a curator has to look"));
}
