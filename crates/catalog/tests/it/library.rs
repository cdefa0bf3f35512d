//! Libraries: what is kept, found again, and nobody else's.

use pressrun_catalog::{
    Catalog, Email, Error, LibraryChange, LibraryQuery, LibrarySort, LibraryState, NewPaper, Role,
    Tag,
};

use crate::support::titled;

async fn catalog(papers: usize) -> (Catalog, i64, i64) {
    let catalog = Catalog::in_memory().await.unwrap();
    let paper = |i: usize| NewPaper {
        id: format!("p{i:02}"),
        published: Some(format!("20{:02}", 50 - i % 50)),
        ..titled(&format!("Paper {}", 99 - i))
    };
    catalog.upsert(&(0..papers).map(paper).collect::<Vec<_>>()).await.unwrap();
    let mut people = Vec::new();
    for name in ["ada", "max"] {
        let email: Email = format!("{name}@example.org").parse().unwrap();
        people.push(catalog.add_person(&email, Role::Reader).await.unwrap().id);
    }
    (catalog, people[0], people[1])
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn state(state: LibraryState) -> LibraryChange {
    LibraryChange { state: Some(state), ..Default::default() }
}

fn tagged(tags: &str) -> LibraryChange {
    LibraryChange { add: Tag::list(tags).unwrap(), ..Default::default() }
}

fn note(text: &str) -> LibraryChange {
    LibraryChange { note: Some(text.into()), ..Default::default() }
}

async fn ids(catalog: &Catalog, person: i64, query: &LibraryQuery) -> Vec<String> {
    let page = catalog.library(person, query, 0, 100).await.unwrap();
    assert_eq!(page.total as usize, page.entries.len());
    let ids: Vec<String> = page.entries.into_iter().map(|entry| entry.paper).collect();
    assert_eq!(catalog.library_papers(person, query).await.unwrap(), ids);
    ids
}

#[tokio::test]
async fn papers_are_kept_changed_and_found_again() {
    let (catalog, ada, max) = catalog(4).await;
    for (paper, change) in [
        ("p00", state(LibraryState::Later)),
        ("p01", tagged("Gates, experts")),
        ("p02", note("Read **this**\r\nfirst  \r\n")),
        ("p03", state(LibraryState::NotForMe)),
        ("p01", state(LibraryState::Done)),
    ] {
        catalog.change_library(ada, paper, &change).await.unwrap();
    }
    let entry = catalog.library_entry(ada, "p01").await.unwrap().unwrap();
    assert_eq!((entry.state, entry.note.as_str()), (LibraryState::Done, ""));
    assert_eq!(entry.tags, [tag("experts"), tag("gates")]);
    assert!(entry.changed_at > entry.added_at);
    let noted = catalog.library_entry(ada, "p02").await.unwrap().unwrap();
    assert_eq!((noted.note.as_str(), noted.state), ("Read **this**\nfirst", LibraryState::None));

    // What is not for her is asked for by name only.
    assert_eq!(ids(&catalog, ada, &LibraryQuery::default()).await, ["p02", "p01", "p00"]);
    let by = |sort| LibraryQuery { sort, ..Default::default() };
    assert_eq!(ids(&catalog, ada, &by(LibrarySort::Date)).await, ["p00", "p01", "p02"]);
    assert_eq!(ids(&catalog, ada, &by(LibrarySort::Title)).await, ["p02", "p01", "p00"]);
    let with = |state, name: Option<&str>| LibraryQuery {
        state,
        tag: name.map(tag),
        ..Default::default()
    };
    assert_eq!(ids(&catalog, ada, &with(Some(LibraryState::NotForMe), None)).await, ["p03"]);
    assert_eq!(ids(&catalog, ada, &with(None, Some("gates"))).await, ["p01"]);
    let read = with(Some(LibraryState::Done), Some("gates"));
    assert_eq!(
        ids(&catalog, ada, &LibraryQuery { sort: LibrarySort::Title, ..read }).await,
        ["p01"]
    );
    assert!(ids(&catalog, ada, &with(Some(LibraryState::Later), Some("gates"))).await.is_empty());
    let second = catalog.library(ada, &LibraryQuery::default(), 2, 2).await.unwrap();
    assert_eq!((second.total, second.entries[0].paper.as_str()), (3, "p00"));

    let counts = catalog.library_counts(ada).await.unwrap();
    assert_eq!((counts.kept(), counts.of(LibraryState::Done)), (3, 1));
    assert_eq!(counts.tags, [(tag("experts"), 1), (tag("gates"), 1)]);
    let states = catalog.library_states(ada, &["p00", "p03", "p99"]).await.unwrap();
    assert_eq!(states.len(), 2);
    assert_eq!(states["p03"], LibraryState::NotForMe);

    // None of it is anybody else's.
    assert!(ids(&catalog, max, &LibraryQuery::default()).await.is_empty());
    assert_eq!(catalog.library_entry(max, "p01").await.unwrap(), None);
    assert!(catalog.library_states(max, &["p00"]).await.unwrap().is_empty());
    assert_eq!(catalog.library_counts(max).await.unwrap().kept(), 0);
    assert!(!catalog.remove_from_library(max, "p01").await.unwrap());
    assert_eq!(catalog.delete_library_tag(max, &tag("gates")).await.unwrap(), 0);
    assert_eq!(catalog.rename_library_tag(max, &tag("gates"), &tag("x")).await.unwrap(), 0);
    let words = ["this".to_owned()];
    assert!(catalog.library_notes_with(max, &words, 10).await.unwrap().is_empty());
    assert_eq!(catalog.library_notes_with(ada, &words, 10).await.unwrap(), ["p02"]);
    assert_eq!(catalog.library_entry(ada, "p01").await.unwrap(), Some(entry));

    assert!(catalog.remove_from_library(ada, "p01").await.unwrap());
    assert!(catalog.library_counts(ada).await.unwrap().tags.is_empty());
    let unknown = catalog.change_library(ada, "p99", &note("x")).await.unwrap_err();
    assert!(matches!(unknown, Error::UnknownPaper { .. }), "{unknown}");
}

#[tokio::test]
async fn tags_are_renamed_joined_and_deleted() {
    let (catalog, ada, max) = catalog(3).await;
    catalog.change_library(ada, "p00", &tagged("moe, old")).await.unwrap();
    catalog.change_library(ada, "p01", &tagged("old")).await.unwrap();
    catalog.change_library(max, "p01", &tagged("old")).await.unwrap();
    assert_eq!(catalog.rename_library_tag(ada, &tag("old"), &tag("moe")).await.unwrap(), 2);
    let counts = async |person| catalog.library_counts(person).await.unwrap().tags;
    assert_eq!(counts(ada).await, [(tag("moe"), 2)]);
    assert_eq!(catalog.rename_library_tag(ada, &tag("moe"), &tag("moe")).await.unwrap(), 2);
    assert_eq!(counts(ada).await, [(tag("moe"), 2)]);
    let off = LibraryChange { remove: vec![tag("moe")], ..Default::default() };
    catalog.change_library(ada, "p00", &off).await.unwrap();
    assert_eq!(counts(ada).await, [(tag("moe"), 1)]);
    assert_eq!(catalog.delete_library_tag(ada, &tag("moe")).await.unwrap(), 1);
    // The papers stay, and so does somebody else's tag of that name.
    assert_eq!(catalog.library_counts(ada).await.unwrap().kept(), 2);
    assert_eq!(counts(max).await, [(tag("old"), 1)]);
    let all = LibraryChange { tags: Some(Tag::list("b, a").unwrap()), ..Default::default() };
    catalog.change_library(ada, "p00", &tagged("c")).await.unwrap();
    catalog.change_library(ada, "p00", &all).await.unwrap();
    assert_eq!(counts(ada).await, [(tag("a"), 1), (tag("b"), 1)]);
}

#[tokio::test]
async fn what_is_not_for_somebody_counts_for_no_tag() {
    let (catalog, ada, _) = catalog(2).await;
    catalog.change_library(ada, "p00", &tagged("gates")).await.unwrap();
    catalog.change_library(ada, "p00", &state(LibraryState::NotForMe)).await.unwrap();
    assert!(catalog.library_counts(ada).await.unwrap().tags.is_empty());
    catalog.vote(ada, "p00", true).await.unwrap();
    let examples = catalog.library_examples(ada, Some(&tag("gates"))).await.unwrap();
    assert_eq!((examples.liked.len(), examples.disliked.len()), (0, 1));
    // A vote does not take it back, a tag does.
    assert!(catalog.library_examples(ada, None).await.unwrap().liked.is_empty());
    catalog.change_library(ada, "p00", &tagged("more")).await.unwrap();
    let counts = catalog.library_counts(ada).await.unwrap();
    assert_eq!((counts.of(LibraryState::None), counts.tags.len()), (1, 2));
}

#[tokio::test]
async fn examples_are_what_was_kept_or_voted_for() {
    let (catalog, ada, max) = catalog(5).await;
    assert_eq!(catalog.library_revision(ada).await.unwrap(), (0, 0, 0));
    catalog.change_library(ada, "p00", &tagged("gates")).await.unwrap();
    catalog.change_library(ada, "p01", &state(LibraryState::NotForMe)).await.unwrap();
    catalog.vote(ada, "p02", true).await.unwrap();
    catalog.vote(ada, "p00", true).await.unwrap();
    catalog.change_library(max, "p03", &state(LibraryState::Later)).await.unwrap();
    let general = catalog.library_examples(ada, None).await.unwrap();
    assert_eq!(general.liked, ["p00", "p02"]);
    assert_eq!(general.disliked, ["p01"]);
    assert_eq!(general.known, ["p00", "p01", "p02"]);
    let gates = catalog.library_examples(ada, Some(&tag("gates"))).await.unwrap();
    assert_eq!((gates.liked, gates.known), (vec!["p00".to_owned()], general.known));
    // Every change of either is seen.
    let mut seen = vec![catalog.library_revision(ada).await.unwrap()];
    catalog.vote(ada, "p02", false).await.unwrap();
    seen.push(catalog.library_revision(ada).await.unwrap());
    catalog.vote(ada, "p03", true).await.unwrap();
    seen.push(catalog.library_revision(ada).await.unwrap());
    catalog.remove_from_library(ada, "p00").await.unwrap();
    seen.push(catalog.library_revision(ada).await.unwrap());
    let different: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
}

#[tokio::test]
async fn libraries_have_bounds_and_a_refused_change_leaves_nothing() {
    let (catalog, ada, _) = catalog(30).await;
    let twenty = (0..20).map(|i| format!("t{i}")).collect::<Vec<_>>().join(",");
    catalog.change_library(ada, "p00", &tagged(&twenty)).await.unwrap();
    let error = catalog.change_library(ada, "p00", &tagged("more")).await.unwrap_err().to_string();
    assert!(error.contains("at most 20 of one paper"), "{error}");
    for bad in ["x".repeat(10_001), "a\u{0}b".into()] {
        let error = catalog.change_library(ada, "p01", &note(&bad)).await.unwrap_err().to_string();
        assert!(error.contains("at most 10,000 characters"), "{error}");
    }
    catalog.change_library(ada, "p01", &note(&"é".repeat(10_000))).await.unwrap();
    for i in 2..26 {
        let tags = (0..20).map(|j| format!("t{i}-{j}")).collect::<Vec<_>>().join(",");
        catalog.change_library(ada, &format!("p{i:02}"), &tagged(&tags)).await.unwrap();
    }
    let error = catalog.change_library(ada, "p29", &tagged("one")).await.unwrap_err().to_string();
    assert!(error.contains("at most 500"), "{error}");
    assert_eq!(catalog.library_entry(ada, "p29").await.unwrap(), None);
}

#[tokio::test]
async fn a_library_goes_with_its_person() {
    let (catalog, ada, max) = catalog(3).await;
    for person in [ada, max] {
        catalog.change_library(person, "p00", &tagged("gates")).await.unwrap();
        catalog.change_library(person, "p01", &note("mine")).await.unwrap();
    }
    let whole = catalog.whole_library(ada).await.unwrap();
    let whole: Vec<(&str, usize)> =
        whole.iter().map(|entry| (entry.paper.as_str(), entry.tags.len())).collect();
    assert_eq!(whole, [("p00", 1), ("p01", 0)]);
    catalog.delete_person(ada).await.unwrap();
    assert!(catalog.whole_library(ada).await.unwrap().is_empty());
    assert!(catalog.library_counts(ada).await.unwrap().tags.is_empty());
    assert_eq!(catalog.library_revision(ada).await.unwrap(), (0, 0, 0));
    assert_eq!(catalog.whole_library(max).await.unwrap().len(), 2);
}

#[tokio::test]
async fn notes_are_searched_for_all_words_in_any_case() {
    let (catalog, ada, _) = catalog(30).await;
    catalog.change_library(ada, "p05", &note("Größe of the GATE matters")).await.unwrap();
    catalog.change_library(ada, "p06", &note("A gate, 100% open_")).await.unwrap();
    let find = async |words: &[&str], most| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        catalog.library_notes_with(ada, &words, most).await.unwrap()
    };
    assert_eq!(find(&["gate"], 10).await, ["p05", "p06"]);
    assert_eq!(find(&["gate"], 1).await, ["p05"]);
    assert_eq!(find(&["GRÖßE", "gate"], 10).await, ["p05"]);
    assert_eq!(find(&["0%", "n_"], 10).await, ["p06"]);
    assert!(find(&["%"], 10).await.len() == 1 && find(&["gate", "shut"], 10).await.is_empty());
    assert!(find(&[], 10).await.is_empty());
}
