//! What a batch of papers makes of what the catalogue knows: decided in memory, then written.

use std::collections::HashMap;

use crate::identity::title_key;
use crate::tidy::Tidy;
use crate::{NewPaper, identity};

/// What became of one paper of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Updated,
    Unchanged,
}

/// A paper as it stands, or will stand once the plan is written.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) paper: NewPaper,
    /// [`title_key`] of its title.
    pub(crate) title: String,
    /// What is to be written: nothing, or the entry.
    pub(crate) change: Change,
    /// Its authors as they are stored.
    pub(crate) authors_before: Vec<String>,
    /// Under which it was written; 0 before that.
    pub(crate) revision: i64,
}

/// A title and a first author's surname under which an entry has been met.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) title: String,
    /// Empty as long as no author is known.
    pub(crate) surname: String,
    pub(crate) entry: usize,
    pub(crate) change: KeyChange,
}

/// What is to be done about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyChange {
    Stored,
    New,
    /// Stored without a surname, which is known now.
    Named,
}

/// Entries and the keys by which they are found.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) entries: Vec<Entry>,
    pub(crate) keys: Vec<Key>,
    ids: HashMap<String, usize>,
    slugs: HashMap<String, usize>,
    arxiv_ids: HashMap<String, usize>,
    dois: HashMap<String, usize>,
    /// Indices of keys, oldest first.
    titles: HashMap<String, Vec<usize>>,
}

impl Plan {
    /// The entry of that id.
    pub(crate) fn entry(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// Takes in a paper that is stored.
    pub(crate) fn load(&mut self, paper: NewPaper) {
        self.push(Entry {
            authors_before: paper.authors.clone(),
            title: title_key(&paper.title),
            paper,
            change: Change::Unchanged,
            revision: 0,
        });
    }

    /// Takes in a key that is stored. Those of one title come oldest first.
    pub(crate) fn load_key(&mut self, title: String, surname: String, entry: usize) {
        self.push_key(title, surname, entry, KeyChange::Stored);
    }

    /// Takes in a paper of the batch, which [`tidy`](crate::tidy::tidy) has been over. Returns the entry that it is
    /// now and what that did.
    pub(crate) fn apply(&mut self, mut new: Tidy) -> (usize, Change) {
        let found = self.find(&new);
        self.drop_taken(&mut new.paper, found);
        if let Some(index) = found {
            let change = self.enrich(index, new.paper, &new.title);
            self.meet(index, new.title, new.surname);
            return (index, change);
        }
        new.paper.id = self.free_id(&new);
        self.push(Entry {
            paper: new.paper,
            title: new.title.clone(),
            change: Change::Added,
            authors_before: Vec::new(),
            revision: 0,
        });
        let index = self.entries.len() - 1;
        self.push_key(new.title, new.surname, index, KeyChange::New);
        (index, Change::Added)
    }

    /// The entry that is the same paper as `new`.
    ///
    /// Ids decide before titles. A title decides only together with the first author's surname,
    /// where both have authors. Neither a DOI nor a title makes one paper of two whose arXiv ids
    /// differ, nor a title of two whose DOIs differ: what came with an id must be found by it again.
    fn find(&self, new: &Tidy) -> Option<usize> {
        let Tidy { paper: new, title, surname, .. } = new;
        let by = |map: &HashMap<String, usize>, id: Option<&String>| {
            id.and_then(|id| map.get(id)).copied()
        };
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let same_arxiv = |&index: &usize| {
            let old = &self.entries[index].paper;
            !differ(&old.arxiv_id, &new.arxiv_id)
        };
        let by_id = by(&self.ids, Some(&new.id))
            .or_else(|| by(&self.slugs, new.slug.as_ref()))
            .or_else(|| by(&self.arxiv_ids, new.arxiv_id.as_ref()))
            .or_else(|| by(&self.dois, new.doi.as_ref()).filter(same_arxiv));
        by_id.or_else(|| {
            let same_title = self.titles.get(title)?.iter().map(|&key| &self.keys[key]);
            let mut same_author = same_title.filter(|key| {
                surname.is_empty() || key.surname.is_empty() || key.surname == *surname
            });
            let key = same_author.find(|key| {
                let old = &self.entries[key.entry].paper;
                same_arxiv(&key.entry) && !differ(&old.doi, &new.doi)
            })?;
            Some(key.entry)
        })
    }

    /// Remembers that an entry was met under this title and surname.
    fn meet(&mut self, entry: usize, title: String, mut surname: String) {
        if surname.is_empty() {
            let known = self.entries[entry].paper.authors.first();
            surname = known.map(|name| identity::surname(name)).unwrap_or_default();
        }
        let of_title = self.titles.get(&title).map_or(&[][..], Vec::as_slice);
        let mut unnamed = None;
        for &index in of_title {
            let key = &self.keys[index];
            if key.entry == entry && key.surname == surname {
                return;
            }
            if key.entry == entry && key.surname.is_empty() {
                unnamed = Some(index);
            }
        }
        // A key without a surname would let any author of that title in; it keeps its age.
        match unnamed {
            Some(index) => {
                let key = &mut self.keys[index];
                key.surname = surname;
                if key.change == KeyChange::Stored {
                    key.change = KeyChange::Named;
                }
            }
            None => self.push_key(title, surname, entry, KeyChange::New),
        }
    }

    fn push_key(&mut self, title: String, surname: String, entry: usize, change: KeyChange) {
        self.titles.entry(title.clone()).or_default().push(self.keys.len());
        self.keys.push(Key { title, surname, entry, change });
    }

    /// The id of a paper that is new: its own or first choice, else the first other that is free.
    fn free_id(&self, new: &Tidy) -> String {
        if !new.paper.id.is_empty() || !self.ids.contains_key(&new.id) {
            return new.id.clone();
        }
        let [mark, longer] = new.other_ids();
        if self.ids.contains_key(&mark) { longer } else { mark }
    }

    /// Leaves out an id that another entry has: that the two are one paper is for a person to say.
    fn drop_taken(&self, new: &mut NewPaper, own: Option<usize>) {
        let taken = |map: &HashMap<String, usize>, id: &Option<String>| {
            id.as_ref().and_then(|id| map.get(id)).copied() != own
                && id.as_ref().is_some_and(|id| map.contains_key(id))
        };
        if taken(&self.arxiv_ids, &new.arxiv_id) {
            new.arxiv_id = None;
        }
        if taken(&self.dois, &new.doi) {
            new.doi = None;
        }
        if taken(&self.slugs, &new.slug) {
            new.slug = None;
        }
    }

    /// Adds to an entry what `new` knows. Nothing is overwritten by something emptier, and an arXiv
    /// id or DOI by none other: by them the entry is found again.
    fn enrich(&mut self, index: usize, new: NewPaper, title: &str) -> Change {
        let entry = &mut self.entries[index];
        let old = &mut entry.paper;
        let mut changed = false;
        if !new.authors.is_empty() && new.authors != old.authors {
            old.authors = new.authors;
            changed = true;
        }
        if !new.tags.is_empty() && new.tags != old.tags {
            old.tags = new.tags;
            changed = true;
        }
        if replace(&mut old.title, new.title) {
            entry.title = title.to_owned();
            changed = true;
        }
        changed |= replace(&mut old.summary, new.summary);
        // The first day stays: a list does not lose a paper because a later source dates it otherwise.
        if new.listed.is_some() && old.listed.is_none() {
            old.listed = new.listed;
            changed = true;
        }
        let arxiv_id = new.arxiv_id.filter(|_| old.arxiv_id.is_none());
        let doi = new.doi.filter(|_| old.doi.is_none());
        for (old, new) in [
            (&mut old.slug, new.slug),
            (&mut old.published, new.published),
            (&mut old.category, new.category),
            (&mut old.arxiv_id, arxiv_id),
            (&mut old.doi, doi),
            (&mut old.venue, new.venue),
            (&mut old.code_url, new.code_url),
            (&mut old.code_licence, new.code_licence),
            (&mut old.project_url, new.project_url),
        ] {
            let Some(new) = new else { continue };
            match old {
                Some(old) => changed |= replace(old, new),
                None => {
                    *old = Some(new);
                    changed = true;
                }
            }
        }
        if !changed {
            return Change::Unchanged;
        }
        // An entry that this batch has added stays one to be added.
        if entry.change == Change::Unchanged {
            entry.change = Change::Updated;
        }
        self.index(index);
        Change::Updated
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.index(self.entries.len() - 1);
    }

    /// Makes an entry findable by all ids that it has.
    fn index(&mut self, index: usize) {
        let paper = &self.entries[index].paper;
        self.ids.insert(paper.id.clone(), index);
        for (map, id) in [
            (&mut self.slugs, &paper.slug),
            (&mut self.arxiv_ids, &paper.arxiv_id),
            (&mut self.dois, &paper.doi),
        ] {
            if let Some(id) = id {
                map.insert(id.clone(), index);
            }
        }
    }
}

/// Replaces `old` unless `new` says nothing more: it is empty, the same, or only its beginning (a
/// year where the day is known, an abstract that was cut).
fn replace(old: &mut String, new: String) -> bool {
    if old.starts_with(&new) {
        return false;
    }
    *old = new;
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tidy::tidy;

    fn paper(title: &str, author: &str, arxiv_id: Option<&str>, doi: Option<&str>) -> NewPaper {
        NewPaper {
            title: title.into(),
            authors: vec![author.to_owned()],
            arxiv_id: arxiv_id.map(Into::into),
            doi: doi.map(Into::into),
            ..NewPaper::default()
        }
    }

    fn apply(plan: &mut Plan, paper: &NewPaper) -> (usize, Change) {
        plan.apply(tidy(paper).unwrap())
    }

    #[test]
    fn ids_decide_before_titles_and_never_against_each_other() {
        let mut plan = Plan::default();
        let first = paper("Gates", "Ada King", Some("2301.00001v1"), None);
        assert_eq!(apply(&mut plan, &first), (0, Change::Added));
        // The same arXiv id under another title; then the same title under another id.
        let renamed = paper("Gates that open", "Ada King", Some("2301.00001v2"), None);
        assert_eq!(apply(&mut plan, &renamed), (0, Change::Updated));
        let other = paper("Gates", "Ada King", Some("2302.00002"), None);
        assert_eq!(apply(&mut plan, &other), (1, Change::Added));
        // Without an id the old title still leads to the paper that had it first.
        let plain = paper("gates", "King, A.", None, Some("10.1/X"));
        assert_eq!(apply(&mut plan, &plain).0, 0);
        assert_eq!(plan.entries[0].paper.doi.as_deref(), Some("10.1/x"));
        // Another author's paper of the same title is another paper, with an id of its own.
        let namesake = paper("Gates", "Max Born", None, None);
        assert_eq!(apply(&mut plan, &namesake), (2, Change::Added));
        assert_eq!(plan.entries[2].paper.id, "gates");
    }

    #[test]
    fn a_listed_title_is_the_paper_whoever_wrote_it() {
        let mut plan = Plan::default();
        let listed = NewPaper { title: "Gates: a study".into(), ..NewPaper::default() };
        assert_eq!(apply(&mut plan, &listed), (0, Change::Added));
        let full = paper("Gates - A Study", "Ada King", None, None);
        assert_eq!(apply(&mut plan, &full), (0, Change::Updated));
        assert_eq!(apply(&mut plan, &listed), (0, Change::Updated));
        // Once its author is known, it is not every author's.
        let namesake = paper("Gates, a study", "Max Born", None, None);
        assert_eq!(apply(&mut plan, &namesake), (1, Change::Added));
        assert_eq!(apply(&mut plan, &listed).0, 0);
        let marked = &plan.entries[1].paper.id;
        assert!(marked.starts_with("gates-a-study-"), "{marked}");
    }

    #[test]
    fn nothing_is_overwritten_by_something_emptier() {
        let mut plan = Plan::default();
        let full = NewPaper {
            published: Some("2023-01-25".into()),
            summary: "We open gates. They stay open.".into(),
            venue: Some("ICLR".into()),
            ..paper("Gates", "Ada King", Some("2301.00001"), None)
        };
        apply(&mut plan, &full);
        let emptier = NewPaper {
            authors: vec![],
            published: Some("2023".into()),
            summary: "We open gates.".into(),
            venue: Some("  ".into()),
            ..full.clone()
        };
        assert_eq!(apply(&mut plan, &emptier), (0, Change::Unchanged));
        assert_eq!(
            plan.entries[0].paper,
            tidy(&NewPaper { id: "2301.00001".into(), ..full }).unwrap().paper
        );
    }

    /// Papers of few titles, authors and ids, so that they meet in every possible way.
    fn papers() -> impl Strategy<Value = Vec<NewPaper>> {
        let one = (
            prop::sample::select(vec!["T", "U", "V"]),
            prop::sample::select(vec!["", "Ada King", "Max Born"]),
            prop::option::of(prop::sample::select(vec!["2301.00001", "2301.00002"])),
            prop::option::weighted(0.3, prop::sample::select(vec!["10.1/a", "10.1/b"])),
            prop::sample::select(vec!["", "a", "ab", "abc", "x", "xy"]),
        );
        let one = one.prop_map(|(title, author, arxiv_id, doi, summary)| NewPaper {
            summary: summary.into(),
            ..paper(title, author, arxiv_id, doi)
        });
        prop::collection::vec(one, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn any_list_twice_equals_once(papers in papers()) {
            let mut plan = Plan::default();
            for paper in &papers {
                apply(&mut plan, paper);
            }
            let once: Vec<NewPaper> = plan.entries.iter().map(|e| e.paper.clone()).collect();
            for paper in &papers {
                prop_assert_ne!(apply(&mut plan, paper).1, Change::Added);
            }
            let twice: Vec<NewPaper> = plan.entries.iter().map(|e| e.paper.clone()).collect();
            prop_assert_eq!(once, twice);
            let mut ids: Vec<&str> = plan.entries.iter().map(|e| e.paper.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), plan.entries.len());
        }
    }
}
