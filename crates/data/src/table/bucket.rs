//! Tables as features: numbers in buckets, categories as they are.

use super::{Table, Values};

/// How each column becomes a field of feature ids.
///
/// ```text
/// number v:    id = offset_f + #{ edges of f <= v }
/// category c:  id = offset_f + c
/// offset_f = number of features of the fields before f
/// ```
///
/// A column with at most `max_buckets` different numbers gets a bucket for each; otherwise its edges
/// are the quantiles `k / max_buckets`, equal ones once, so that no bucket is empty where the
/// buckets were fitted. A number outside what was seen falls into the first or last bucket.
///
/// # Example
/// ```
/// use pressrun_data::table::{Buckets, Table};
///
/// let table = Table::from_csv("t", "age,work,class\n20,a,0\n30,b,1\n40,a,1\n50,a,0\n")?;
/// let buckets = Buckets::fit(&table, 2);
/// // Two buckets of ages, split at the median 40, and two kinds of work.
/// assert_eq!(buckets.features(), 4);
/// assert_eq!(buckets.apply(&table).ids, [0, 2, 0, 3, 1, 2, 1, 2]);
/// # Ok::<(), pressrun_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    fields: Vec<Field>,
    features: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    offset: usize,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Edges(Vec<f64>),
    Categories(Vec<String>),
}

impl Rule {
    fn features(&self) -> usize {
        match self {
            Self::Edges(edges) => edges.len() + 1,
            // A column of no rows is one of numbers, so that there is always a category.
            Self::Categories(names) => names.len(),
        }
    }
}

/// A table as feature ids.
///
/// # Shapes
/// - `ids`: `[rows, fields]`, last dimension fastest; `labels`: `[rows]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucketed {
    /// The feature of each row in each field.
    pub ids: Vec<u32>,
    /// Number of fields.
    pub fields: usize,
    /// Number of features in all fields together.
    pub features: usize,
    /// First id of each field.
    pub offsets: Vec<u32>,
    /// The class of each row.
    pub labels: Vec<u8>,
}

impl Buckets {
    /// Chooses the buckets by the rows of `table`.
    ///
    /// # Panics
    /// If `max_buckets` is 0.
    pub fn fit(table: &Table, max_buckets: usize) -> Self {
        assert!(max_buckets > 0, "buckets: expected at least 1, found 0");
        let mut features = 0;
        let mut fields = Vec::with_capacity(table.columns().len());
        for column in table.columns() {
            let rule = match &column.values {
                Values::Numbers(numbers) => Rule::Edges(edges(numbers, max_buckets)),
                Values::Categories { names, .. } => Rule::Categories(names.clone()),
            };
            let offset = features;
            features += rule.features();
            fields.push(Field { name: column.name.clone(), offset, rule });
        }
        Self { fields, features }
    }

    /// Number of features in all fields together.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The feature ids of a table with the same columns, such as other rows of the same table.
    ///
    /// # Panics
    /// If the columns are others: other names, kinds or categories.
    pub fn apply(&self, table: &Table) -> Bucketed {
        let fields = self.fields.len();
        assert!(
            table.columns().len() == fields,
            "buckets: fitted to {fields} columns, applied to {}",
            table.columns().len()
        );
        let mut ids = vec![0u32; table.len() * fields];
        for (at, (field, column)) in self.fields.iter().zip(table.columns()).enumerate() {
            let mut put =
                |row: usize, code: usize| ids[row * fields + at] = (field.offset + code) as u32;
            match (&field.rule, &column.values) {
                (Rule::Edges(edges), Values::Numbers(numbers)) if field.name == column.name => {
                    for (row, &number) in numbers.iter().enumerate() {
                        put(row, edges.partition_point(|&edge| edge <= number));
                    }
                }
                (Rule::Categories(known), Values::Categories { codes, names })
                    if field.name == column.name && known == names =>
                {
                    for (row, &code) in codes.iter().enumerate() {
                        put(row, code as usize);
                    }
                }
                _ => panic!(
                    "buckets: column `{}` is not the `{}` to which they were fitted",
                    column.name, field.name
                ),
            }
        }
        Bucketed {
            ids,
            fields,
            features: self.features,
            offsets: self.fields.iter().map(|field| field.offset as u32).collect(),
            labels: table.labels().to_vec(),
        }
    }
}

/// Where a new bucket begins: increasing, the smallest number excluded.
fn edges(numbers: &[f64], max_buckets: usize) -> Vec<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() <= max_buckets {
        return distinct.split_off(distinct.len().min(1));
    }
    let mut edges: Vec<f64> =
        (1..max_buckets).map(|k| sorted[k * sorted.len() / max_buckets]).collect();
    edges.dedup();
    edges.retain(|&edge| edge > sorted[0]);
    edges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::Column;

    fn table(numbers: Vec<f64>) -> Table {
        let codes = (0..numbers.len()).map(|row| (row % 2) as u32).collect();
        let names = vec!["even".to_owned(), "odd".to_owned()];
        Table {
            name: "t".into(),
            labels: vec![0; numbers.len()],
            columns: vec![
                Column { name: "parity".into(), values: Values::Categories { codes, names } },
                Column { name: "number".into(), values: Values::Numbers(numbers) },
            ],
            classes: vec!["a".into()],
        }
    }

    #[test]
    fn few_different_numbers_get_a_bucket_each() {
        let buckets = table(vec![5.0, 1.0, 5.0, 2.0, 1.0]).bucketed(3);
        assert_eq!(buckets.ids, [0, 4, 1, 2, 0, 4, 1, 3, 0, 2]);
        assert_eq!((buckets.fields, buckets.features), (2, 5));
        assert_eq!(buckets.offsets, [0, 2]);
    }

    #[test]
    fn quantiles_halve_and_ties_do_not_make_empty_buckets() {
        assert_eq!(edges(&[4.0, 1.0, 3.0, 2.0], 2), [3.0]);
        // Zero is 5 of 9 numbers: the quantiles 1/4 and 2/4 fall on it and vanish.
        assert_eq!(edges(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0], 4), [2.0]);
        assert!(edges(&[], 4).is_empty());
    }

    #[test]
    fn numbers_outside_fall_into_the_outer_buckets() {
        let buckets = Buckets::fit(&table(vec![1.0, 2.0, 3.0]), 3);
        let outside = buckets.apply(&table(vec![-7.0, 99.0, 2.5]));
        assert_eq!(outside.ids.iter().skip(1).step_by(2).copied().collect::<Vec<_>>(), [2, 4, 3]);
    }

    #[test]
    #[should_panic(expected = "column `b` is not the `a` to which they were fitted")]
    fn other_columns_panic() {
        let a = Table::from_csv("t", "a,class\n1,x\n").unwrap();
        Buckets::fit(&a, 2).apply(&Table::from_csv("t", "b,class\n1,x\n").unwrap());
    }

    proptest! {
        #[test]
        fn buckets_are_ordered_within_range_and_none_is_empty(
            numbers in prop::collection::vec((0u8..60).prop_map(f64::from), 1..120),
            max_buckets in 1usize..30,
        ) {
            let table = table(numbers.clone());
            let bucketed = table.bucketed(max_buckets);
            let ids: Vec<u32> = bucketed.ids.iter().skip(1).step_by(2).copied().collect();
            let buckets = bucketed.features - 2;
            prop_assert!(buckets <= max_buckets);
            for (i, &a) in numbers.iter().enumerate() {
                for (j, &b) in numbers.iter().enumerate() {
                    prop_assert!(a > b || ids[i] <= ids[j], "{} and {} are out of order", a, b);
                }
            }
            let mut used = ids.clone();
            used.sort_unstable();
            used.dedup();
            let expected: Vec<u32> = (2..bucketed.features as u32).collect();
            prop_assert_eq!(used, expected);
        }
    }
}
