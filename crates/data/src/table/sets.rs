//! The embedded tables.

use super::Table;
use crate::embedded::{self, File};
use crate::idx::unpack;

fn read(name: &str, file: &File) -> Table {
    let bytes = unpack(file.name, file.packed).expect("embedded files unpack");
    let text = std::str::from_utf8(&bytes).expect("embedded tables are text");
    Table::from_csv(name, text).expect("embedded tables parse")
}

/// 32,561 people of the 1994 census of the United States: does one earn more than 50,000 a year?
///
/// # Shapes
/// - 14 columns, 6 of numbers and 8 of categories; `?` is a category of its own where unknown
/// - label 1: more than 50,000 (24 %)
///
/// # Source
/// Becker and Kohavi, Adult, UCI, its training part. The data set's [card](crate::card) is `census`.
///
/// # Example
/// ```
/// let census = pressrun_data::table::census();
/// assert_eq!(census.len(), 32_561);
/// assert_eq!(census.classes(), ["<=50K", ">50K"]);
/// ```
pub fn census() -> Table {
    read("census", &embedded::CENSUS)
}

/// Fisher's irises: four lengths in centimetres of 50 flowers of each of three species.
///
/// # Source
/// Fisher, 1936. The data set's [card](crate::card) is `iris`.
///
/// # Example
/// ```
/// let iris = pressrun_data::table::iris();
/// assert_eq!(iris.classes(), ["setosa", "versicolor", "virginica"]);
/// ```
pub fn iris() -> Table {
    read("iris", &embedded::IRIS)
}

/// Thirteen measurements of 178 wines of three growers.
///
/// # Source
/// Aeberhard and Forina, Wine, UCI. The data set's [card](crate::card) is `wine`.
///
/// # Example
/// ```
/// assert_eq!(pressrun_data::table::wine().len(), 178);
/// ```
pub fn wine() -> Table {
    read("wine", &embedded::WINE)
}

/// Thirty measures of cell nuclei in 569 breast masses: label 0 is benign, 1 malignant.
///
/// # Source
/// Wolberg, Mangasarian, Street and Street, Breast Cancer Wisconsin (Diagnostic), UCI. The data
/// set's [card](crate::card) is `breast-cancer`.
///
/// # Example
/// ```
/// let cancer = pressrun_data::table::breast_cancer();
/// assert_eq!(cancer.classes(), ["benign", "malignant"]);
/// ```
pub fn breast_cancer() -> Table {
    read("breast-cancer", &embedded::BREAST_CANCER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Kind, Values};

    fn sizes(table: &Table) -> Vec<usize> {
        let count = |class| table.labels().iter().filter(|&&label| label == class).count();
        (0..table.classes().len() as u8).map(count).collect()
    }

    fn mean(table: &Table, column: &str) -> f64 {
        match &table.column(column).unwrap().values {
            Values::Numbers(numbers) => numbers.iter().sum::<f64>() / numbers.len() as f64,
            Values::Categories { .. } => panic!("`{column}` is not a column of numbers"),
        }
    }

    // The expected values are those of the published descriptions (summary statistics and class
    // distribution), for the census those of its own description file.

    #[test]
    fn the_irises_are_fishers() {
        let iris = iris();
        assert_eq!(sizes(&iris), [50, 50, 50]);
        let expected = [5.84, 3.05, 3.76, 1.20];
        for (column, expected) in iris.columns().iter().zip(expected) {
            assert!((mean(&iris, &column.name) - expected).abs() < 0.01, "{}", column.name);
        }
    }

    #[test]
    fn the_wines_are_the_published_ones() {
        let wine = wine();
        assert_eq!(sizes(&wine), [59, 71, 48]);
        assert_eq!(wine.columns().len(), 13);
        assert!((mean(&wine, "proline") - 746.0).abs() < 1.0);
        assert!((mean(&wine, "hue") - 0.96).abs() < 0.01);
    }

    #[test]
    fn the_breast_masses_are_the_published_ones() {
        let cancer = breast_cancer();
        assert_eq!(sizes(&cancer), [357, 212]);
        assert_eq!(cancer.columns().len(), 30);
        let area = &cancer.column("area (worst)").unwrap().values;
        let Values::Numbers(area) = area else { panic!("areas are numbers") };
        assert_eq!(area.iter().copied().fold(f64::MIN, f64::max), 4254.0);
        assert_eq!(area.iter().copied().fold(f64::MAX, f64::min), 185.2);
    }

    #[test]
    fn the_census_is_the_published_one() {
        let census = census();
        assert_eq!(sizes(&census), [24_720, 7_841]);
        let numbers = census.columns().iter().filter(|column| column.kind() == Kind::Number);
        assert_eq!(
            numbers.map(|column| column.name.as_str()).collect::<Vec<_>>(),
            ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
        );
        assert!((mean(&census, "age") - 38.58).abs() < 0.01);
        let country = &census.column("native-country").unwrap().values;
        let Values::Categories { codes, names } = country else {
            panic!("countries are categories")
        };
        assert_eq!(names.len(), 42);
        let at = names.iter().position(|name| name == "United-States").unwrap() as u32;
        assert_eq!(codes.iter().filter(|&&code| code == at).count(), 29_170);
    }

    #[test]
    fn bucketing_the_census_keeps_what_is_distinct() {
        let bucketed = census().bucketed(100);
        // age 73, education-num 16, capital-loss 92 and hours 94 keep every value; the others are
        // cut at 100 quantiles, of which capital-gain, mostly zero, keeps few. Categories:
        // 9 + 16 + 7 + 15 + 6 + 5 + 2 + 42.
        let categories = 9 + 16 + 7 + 15 + 6 + 5 + 2 + 42;
        let distinct = 73 + 16 + 92 + 94;
        let cut = bucketed.features - categories - distinct;
        assert!((100..=200).contains(&cut), "{cut} buckets for fnlwgt and capital-gain");
    }
}
