//! Editions for the tests.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use pressrun_catalog::{NewPaper, Paper, Preferences, Slot, VerdictCounts};

use super::{Edition, Links};

/// A paper of which nothing but the title is known.
pub(super) fn paper(id: &str, title: &str) -> Paper {
    let new = NewPaper { id: id.to_owned(), title: title.to_owned(), ..NewPaper::default() };
    Paper::new(new, Timestamp::UNIX_EPOCH)
}

/// Three papers: with all that can be known, with a record that disagrees, with little.
pub(super) fn papers() -> Vec<Paper> {
    let mut first = paper("2112.14397", "Dense-to-Sparse Gate for Mixture-of-Experts");
    first.summary = "Mixture-of-experts (MoE) is becoming popular due to its success in improving \
        the model quality, especially in Transformers. By routing tokens with a sparse gate to a \
        few experts (i.e., a small pieces of the full model), MoE can easily increase the model \
        parameters to a very large scale while keeping the computation cost in a constant level. \
        Most existing works just initialize some random experts."
        .to_owned();
    first.authors = ["Xiaonan Nie", "Shijie Cao", "Xupeng Miao", "Lingxiao Ma", "Jilong Xue"]
        .into_iter()
        .chain(["Youshan Miao", "Zichao Yang", "Zhi Yang", "Bin Cui"])
        .map(str::to_owned)
        .collect();
    first.venue = Some("ICLR 2022".to_owned());
    first.listed = Some(date(2026, 11, 26));
    first.code_url = Some("https://github.com/codecaution/EvoMoE".to_owned());
    (first.votes, first.comments) = (12_345, 1);
    let [reproduced, partly, not_at_this_scale, not_tested] = [3, 1, 0, 0];
    first.verdicts = Some(VerdictCounts { reproduced, partly, not_at_this_scale, not_tested });
    let mut second = paper("cs/0112017", "Größen, $\\mathcal{O}(n \\log n)$ & <b>Ordnung</b>");
    second.authors = vec!["Émilie du Châtelet".to_owned(), "李明".to_owned()];
    second.listed = Some(date(2026, 11, 25));
    (second.votes, second.comments) = (1, 0);
    let not_at_this_scale = 1;
    second.verdicts = Some(VerdictCounts { not_at_this_scale, ..VerdictCounts::default() });
    let mut third = paper("a-short-one", "A short one");
    third.listed = Some(date(2026, 11, 20));
    third.summary = "It is short.".to_owned();
    vec![first, second, third]
}

/// An issue of Thursday 26 November 2026 with these papers, for the usual preferences.
pub(super) fn edition(papers: Vec<Paper>) -> Edition {
    let at = "2026-11-26T07:00:00Z".parse().unwrap();
    Edition {
        preferences: Preferences::default(),
        slot: Slot { at, day: date(2026, 11, 26) },
        late: false,
        test: false,
        papers: papers.into_iter().map(Arc::new).collect(),
        reason: None,
        links: Links {
            site: "https://papers.example.org".to_owned(),
            manage: "https://papers.example.org/digest/manage/1f-3a".to_owned(),
            unsubscribe: "https://papers.example.org/digest/leave/1f-b7".to_owned(),
        },
    }
}
