//! The cards themselves.

use super::{Card, Checksum, Part};
use crate::{ctr, embedded, fashion, text};

/// Every data set and generator of this crate.
///
/// # Example
/// ```
/// let names: Vec<_> = pressrun_data::card::cards().iter().map(|card| card.name).collect();
/// assert!(names.contains(&"digits") && names.contains(&"ctr"));
/// ```
pub fn cards() -> Vec<Card> {
    vec![
        digits(),
        fashion_mnist(),
        census(),
        iris(),
        wine(),
        breast_cancer(),
        planted_clicks(),
        abstracts(),
    ]
}

const EMBEDDED: &str = "embedded";

fn sums(card: &str) -> Vec<Checksum> {
    let sum = |file: &embedded::File| Checksum { file: file.name, sha256: file.sha256 };
    embedded::files(card).iter().map(sum).collect()
}

fn digits() -> Card {
    Card {
        name: "digits",
        title: "Handwritten digits, 8 x 8",
        about: "Digits that 13 people wrote on forms; each pixel counts the inked dots of a 4 x 4 \
                square, from 0 to 16.",
        origin: EMBEDDED,
        source: "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine \
                 Learning Repository, test part, in the copy of scikit-learn 1.9.1",
        licence: "CC BY 4.0",
        url: Some("https://archive.ics.uci.edu/dataset/80"),
        citation: Some(
            "Alpaydin, E. and Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI \
             Machine Learning Repository. doi:10.24432/C50P49",
        ),
        size: "1,797 images of 8 x 8 grey pixels, 10 classes of 174 to 183 images",
        splits: vec![Part { name: "in all", rows: 1_797 }],
        sha256: sums("digits"),
        notes: vec![
            "There is no published split: images of one writer stand on both sides of a random one.",
        ],
    }
}

fn fashion_mnist() -> Card {
    let whole = fashion::FILES.map(|file| Checksum { file: file.name, sha256: file.sha256 });
    let mut sha256 = sums(fashion::NAME);
    sha256.extend(whole);
    Card {
        name: fashion::NAME,
        title: "Fashion-MNIST",
        about: "Grey pictures of clothes, shoes and bags from a shop's catalogue.",
        origin: "a subset is embedded; the whole set is found in the data folder or where the \
                 system's package has put it, or fetched once",
        source: "H. Xiao, K. Rasul and R. Vollgraf, Zalando Research, from Debian's package \
                 dataset-fashion-mnist",
        licence: "MIT, copyright 2017 Zalando SE",
        url: Some("https://github.com/zalandoresearch/fashion-mnist"),
        citation: Some(
            "Xiao, H., Rasul, K. and Vollgraf, R. (2017). Fashion-MNIST: a Novel Image Dataset for \
             Benchmarking Machine Learning Algorithms. arXiv:1708.07747",
        ),
        size: "70,000 images of 28 x 28 grey pixels, 10 classes of equal size; embedded are 7,000",
        splits: vec![
            Part { name: "train, embedded", rows: 5_000 },
            Part { name: "test, embedded", rows: 2_000 },
            Part { name: "train", rows: 60_000 },
            Part { name: "test", rows: 10_000 },
        ],
        sha256,
        notes: vec![
            "The subset is the first 500 of each class of the training set and the first 200 of \
             each class of the test set, in file order.",
        ],
    }
}

fn census() -> Card {
    Card {
        name: "census",
        title: "Census income",
        about: "People of the 1994 census of the United States, with age, work, schooling, family \
                and origin; the class is whether one earns more than 50,000 dollars a year.",
        origin: EMBEDDED,
        source: "B. Becker and R. Kohavi, Adult, UCI Machine Learning Repository, training part, in \
                 the copy of the Python package fairness 0.1.8",
        licence: "CC BY 4.0",
        url: Some("https://archive.ics.uci.edu/dataset/2"),
        citation: Some(
            "Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository. \
             doi:10.24432/C5XW20",
        ),
        size: "32,561 rows, 6 columns of numbers and 8 of categories, 2 classes (24 % above 50,000)",
        splits: vec![Part { name: "in all", rows: 32_561 }],
        sha256: sums("census"),
        notes: vec![
            "`fnlwgt` is the row's weight in the survey, not a property of the person.",
            "`?` stands for unknown and is a category of its own.",
            "Sex, race and origin are in it: a benchmark for methods, not a ground for decisions \
             about people.",
        ],
    }
}

fn iris() -> Card {
    Card {
        name: "iris",
        title: "Irises",
        about: "Lengths and widths of the sepals and petals of flowers of three species.",
        origin: EMBEDDED,
        source: "R. A. Fisher, 1936, from measurements by E. Anderson, in the copy of scikit-learn \
                 1.9.1",
        licence: "CC BY 4.0",
        url: Some("https://archive.ics.uci.edu/dataset/53"),
        citation: Some(
            "Fisher, R. A. (1936). Iris. UCI Machine Learning Repository. doi:10.24432/C56C76",
        ),
        size: "150 rows, 4 columns of numbers, 3 classes of 50 rows",
        splits: vec![Part { name: "in all", rows: 150 }],
        sha256: sums("iris"),
        notes: vec!["As in Fisher's article; UCI's own file differs from it in two rows."],
    }
}

fn wine() -> Card {
    Card {
        name: "wine",
        title: "Wines",
        about: "Chemical analyses of wines that three growers of one region of Italy made.",
        origin: EMBEDDED,
        source: "S. Aeberhard and M. Forina, Wine, UCI Machine Learning Repository, in the copy of \
                 scikit-learn 1.9.1",
        licence: "CC BY 4.0",
        url: Some("https://archive.ics.uci.edu/dataset/109"),
        citation: Some(
            "Aeberhard, S. and Forina, M. (1992). Wine. UCI Machine Learning Repository. \
             doi:10.24432/C5PC7J",
        ),
        size: "178 rows, 13 columns of numbers, 3 classes of 59, 71 and 48 rows",
        splits: vec![Part { name: "in all", rows: 178 }],
        sha256: sums("wine"),
        notes: vec!["The columns differ in scale by a factor of a thousand."],
    }
}

fn breast_cancer() -> Card {
    Card {
        name: "breast-cancer",
        title: "Breast cancer Wisconsin (diagnostic)",
        about: "Measures of the cell nuclei in pictures of fine-needle aspirates of breast masses; \
                label 1 is malignant.",
        origin: EMBEDDED,
        source: "W. Wolberg, O. Mangasarian, N. Street and W. Street, UCI Machine Learning \
                 Repository, in the copy of scikit-learn 1.9.1",
        licence: "CC BY 4.0",
        url: Some("https://archive.ics.uci.edu/dataset/17"),
        citation: Some(
            "Wolberg, W., Mangasarian, O., Street, N. and Street, W. (1993). Breast Cancer \
             Wisconsin (Diagnostic). UCI Machine Learning Repository. doi:10.24432/C5DW2B",
        ),
        size: "569 rows, 30 columns of numbers, 2 classes: 357 benign, 212 malignant",
        splits: vec![Part { name: "in all", rows: 569 }],
        sha256: sums("breast-cancer"),
        notes: vec!["Not a medical device: a benchmark for methods."],
    }
}

fn planted_clicks() -> Card {
    Card {
        name: ctr::NAME,
        title: "Planted click log",
        about: "Rows of categorical fields, few of whose values matter, with six pairs of fields \
                that interact; which values and pairs, and each row's true probability, are known.",
        origin: "generated from a seed",
        source: "a generator of this project",
        licence: "no rights reserved: generated",
        url: None,
        citation: None,
        size: "by default 16 fields, 4,240 features of which 120 are useful, and as many rows as \
               asked for",
        splits: vec![],
        sha256: vec![],
        notes: vec![
            "The Bayes AUC, which no model can exceed in expectation, comes with the log.",
            "Ground truth is drawn anew for every seed: compare methods under the same seeds.",
        ],
    }
}

fn abstracts() -> Card {
    Card {
        name: text::NAME,
        title: "Characters of abstracts",
        about: "The abstracts of the catalogue's papers as a stream of 97 symbols.",
        origin: "handed in by the catalogue",
        source: "the papers' authors, by the catalogue's importers",
        licence: "that of each abstract",
        url: None,
        citation: None,
        size: "as many documents as the catalogue has",
        splits: vec![],
        sha256: vec![],
        notes: vec!["Split by document, a text that is there twice only once."],
    }
}
