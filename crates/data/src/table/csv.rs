//! Reading tables from comma-separated text.

use std::collections::BTreeSet;

use super::{Column, Table, Values};
use crate::{Error, Result};

impl Table {
    /// Reads comma-separated text: a line of names, then rows; the last column is the class.
    ///
    /// A column is one of numbers if every one of its values is a finite number, else of categories.
    /// Categories and classes are numbered in sorted order, whatever the order of the rows. Spaces
    /// around a value do not count, empty lines neither; there is no quoting.
    ///
    /// # Errors
    /// [`Error::Csv`] with the line, if it has another number of values than the first line, there
    /// are fewer than two columns, a name comes twice, or there are more than 256 classes.
    ///
    /// # Example
    /// ```
    /// use pressrun_data::table::Table;
    ///
    /// let error = Table::from_csv("jobs", "age,work,income\n39,state\n").unwrap_err();
    /// assert_eq!(error.to_string(), "`jobs`, line 2: expected 3 values, found 2");
    /// ```
    pub fn from_csv(name: &str, text: &str) -> Result<Self> {
        let wrong = |line: usize, expected: String, found: String| Error::Csv {
            table: name.to_owned(),
            line,
            expected,
            found,
        };
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let Some((at, first)) = lines.next() else {
            return Err(wrong(1, "a line of column names".into(), "nothing".into()));
        };
        let names: Vec<&str> = first.split(',').map(str::trim).collect();
        if names.len() < 2 {
            return Err(wrong(at + 1, "a column and the class".into(), format!("`{first}`")));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(wrong(at + 1, "different names".into(), format!("`{twice}` twice")));
        }
        let mut columns: Vec<Vec<&str>> = vec![Vec::new(); names.len()];
        let mut last = at;
        for (at, line) in lines {
            let found = line.split(',').count();
            if found != names.len() {
                return Err(wrong(at + 1, format!("{} values", names.len()), found.to_string()));
            }
            for (column, value) in columns.iter_mut().zip(line.split(',')) {
                column.push(value.trim());
            }
            last = at;
        }
        let classes = columns.pop().expect("there are two columns or more");
        let (labels, classes) = coded(&classes);
        if classes.len() > 256 {
            let expected = "at most 256 classes".into();
            return Err(wrong(last + 1, expected, classes.len().to_string()));
        }
        let columns = names.iter().zip(columns).map(|(&name, values)| column(name, &values));
        Ok(Self {
            name: name.to_owned(),
            columns: columns.collect(),
            labels: labels.into_iter().map(|label| label as u8).collect(),
            classes,
        })
    }
}

fn column(name: &str, values: &[&str]) -> Column {
    let number = |value: &&str| value.parse::<f64>().ok().filter(|number| number.is_finite());
    let values = match values.iter().map(number).collect() {
        Some(numbers) => Values::Numbers(numbers),
        None => {
            let (codes, names) = coded(values);
            Values::Categories { codes, names }
        }
    };
    Column { name: name.to_owned(), values }
}

/// Each value as its place among the sorted different values, and these.
fn coded(values: &[&str]) -> (Vec<u32>, Vec<String>) {
    let names: BTreeSet<&str> = values.iter().copied().collect();
    let names: Vec<&str> = names.into_iter().collect();
    let code = |value| names.binary_search(value).expect("every value is among them") as u32;
    (values.iter().map(code).collect(), names.iter().map(|&name| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Kind;
    use super::*;

    #[test]
    fn faults_are_named_with_their_line() {
        let message = |text| Table::from_csv("t", text).unwrap_err().to_string();
        assert_eq!(message(" \n"), "`t`, line 1: expected a line of column names, found nothing");
        assert_eq!(
            message("\nonly\n1\n"),
            "`t`, line 2: expected a column and the class, found `only`"
        );
        assert_eq!(
            message("a,a,class\n"),
            "`t`, line 1: expected different names, found `a` twice"
        );
        assert_eq!(message("a,class\n1,x\n\n1,x,y\n"), "`t`, line 4: expected 2 values, found 3");
        let many: String = (0..300).map(|class| format!("1,{class}\n")).collect();
        assert_eq!(
            message(&format!("a,class\n{many}")),
            "`t`, line 301: expected at most 256 classes, found 300"
        );
    }

    #[test]
    fn a_column_with_one_word_is_of_categories() {
        let table = Table::from_csv("t", "a,b,class\n1, 2 ,x\n?,1e3,x\n").unwrap();
        assert_eq!(table.columns()[0].kind(), Kind::Category);
        assert_eq!(table.columns()[1].values, Values::Numbers(vec![2.0, 1000.0]));
        let infinite = Table::from_csv("t", "a,class\ninf,x\nNaN,x\n").unwrap();
        assert_eq!(infinite.columns()[0].kind(), Kind::Category);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "[a-c0-9.,?\\-\n ]{0,80}") {
            if let Ok(table) = Table::from_csv("t", &text) {
                for column in table.columns() {
                    let length = match &column.values {
                        Values::Numbers(numbers) => numbers.len(),
                        Values::Categories { codes, names } => {
                            prop_assert!(codes.iter().all(|&code| (code as usize) < names.len()));
                            codes.len()
                        }
                    };
                    prop_assert_eq!(length, table.len());
                }
            }
        }

        #[test]
        fn codes_do_not_depend_on_the_order_of_rows(
            values in prop::collection::vec("[a-d]", 1..20),
        ) {
            let table = |values: &[String]| {
                let rows: String = values.iter().map(|value| format!("{value},{value}\n")).collect();
                Table::from_csv("t", &format!("a,class\n{rows}")).unwrap()
            };
            let forward = table(&values);
            let reversed: Vec<String> = values.iter().rev().cloned().collect();
            let rows: Vec<usize> = (0..values.len()).rev().collect();
            prop_assert_eq!(table(&reversed), forward.subset(&rows));
        }
    }
}
