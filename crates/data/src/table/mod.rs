//! Tables: columns of numbers and categories, with a class for each row.

mod bucket;
mod csv;
mod sets;

use crate::split;

pub use bucket::{Bucketed, Buckets};
pub use sets::{breast_cancer, census, iris, wine};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, whose order and distance mean something.
    Number,
    /// One of some categories.
    Category,
}

/// The values of a column, one for each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Finite numbers.
    Numbers(Vec<f64>),
    /// Categories, each an index into `names`.
    Categories {
        /// The category of each row.
        codes: Vec<u32>,
        /// All categories of the column, sorted; some rows of a larger table keep all of them.
        names: Vec<String>,
    },
}

/// A named column of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name, as in the table's first line.
    pub name: String,
    /// The values.
    pub values: Values,
}

impl Column {
    /// What the column holds.
    pub fn kind(&self) -> Kind {
        match self.values {
            Values::Numbers(_) => Kind::Number,
            Values::Categories { .. } => Kind::Category,
        }
    }

    fn subset(&self, rows: &[usize]) -> Self {
        let values = match &self.values {
            Values::Numbers(numbers) => {
                Values::Numbers(rows.iter().map(|&row| numbers[row]).collect())
            }
            Values::Categories { codes, names } => Values::Categories {
                codes: rows.iter().map(|&row| codes[row]).collect(),
                names: names.clone(),
            },
        };
        Self { name: self.name.clone(), values }
    }
}

/// Columns of equal length and a class for each row.
///
/// # Example
/// ```
/// use pressrun_data::table::{Kind, Table};
///
/// let text = "age,work,income\n39,state,low\n50,own,high\n38,own,low\n";
/// let table = Table::from_csv("jobs", text)?;
/// assert_eq!(table.len(), 3);
/// assert_eq!(table.columns()[1].kind(), Kind::Category);
/// assert_eq!(table.classes(), ["high", "low"]);
/// assert_eq!(table.labels(), [1, 0, 1]);
/// # Ok::<(), pressrun_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    labels: Vec<u8>,
    classes: Vec<String>,
}

impl Table {
    /// Name of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All columns but the class.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The class of each row, an index into [`Table::classes`].
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Names of the classes, sorted.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The table without some of its columns; a name that no column has changes nothing.
    ///
    /// # Example
    /// ```
    /// // The weight of a row in the survey says nothing about the person.
    /// let census = pressrun_data::table::census().without(&["fnlwgt"]);
    /// assert_eq!(census.columns().len(), 13);
    /// ```
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.columns.retain(|column| !names.contains(&column.name.as_str()));
        self
    }

    /// These rows, in this order; a row may come more than once.
    ///
    /// # Panics
    /// If there is no row of one of the indices.
    pub fn subset(&self, rows: &[usize]) -> Self {
        Self {
            name: self.name.clone(),
            columns: self.columns.iter().map(|column| column.subset(rows)).collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            classes: self.classes.clone(),
        }
    }

    /// `n` rows chosen at random with every class in proportion, and the others.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    ///
    /// # Example
    /// ```
    /// use rand::SeedableRng;
    ///
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let (train, test) = pressrun_data::table::iris().split_stratified(120, &mut rng);
    /// assert_eq!((train.len(), test.len()), (120, 30));
    /// assert_eq!(test.labels().iter().filter(|&&class| class == 0).count(), 10);
    /// ```
    pub fn split_stratified(&self, n: usize, rng: &mut impl rand::Rng) -> (Self, Self) {
        let (first, second) = split::stratified(&self.labels, n, rng);
        (self.subset(&first), self.subset(&second))
    }

    /// The columns of numbers as one matrix, and how many they are.
    ///
    /// # Shapes
    /// - output: `[rows, columns of numbers]`, last dimension fastest
    ///
    /// # Example
    /// ```
    /// use pressrun_data::Moments;
    ///
    /// let (mut values, columns) = pressrun_data::table::wine().numbers();
    /// assert_eq!((values.len(), columns), (178 * 13, 13));
    /// Moments::of(&values, columns, 1).apply(&mut values, columns, 1);
    /// ```
    pub fn numbers(&self) -> (Vec<f32>, usize) {
        let columns: Vec<&[f64]> = self
            .columns
            .iter()
            .filter_map(|column| match &column.values {
                Values::Numbers(numbers) => Some(&**numbers),
                Values::Categories { .. } => None,
            })
            .collect();
        let rows = 0..self.len();
        let values = rows.flat_map(|row| columns.iter().map(move |column| column[row] as f32));
        (values.collect(), columns.len())
    }

    /// Every value as the id of a feature: [`Buckets::fit`] and [`Buckets::apply`] on this table.
    ///
    /// For a fair comparison fit on the training rows alone and apply to both.
    ///
    /// # Shapes
    /// - `ids`: `[rows, fields]`, each field with ids of its own
    ///
    /// # Panics
    /// If `max_buckets` is 0.
    ///
    /// # Example
    /// ```
    /// let census = pressrun_data::table::census().bucketed(100);
    /// assert_eq!(census.fields, 14);
    /// assert_eq!(census.ids.len(), 14 * census.labels.len());
    /// assert!(census.ids.iter().all(|&id| (id as usize) < census.features));
    /// ```
    pub fn bucketed(&self, max_buckets: usize) -> Bucketed {
        Buckets::fit(self, max_buckets).apply(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Table {
        Table::from_csv("t", "a,b,class\n1,x,no\n2.5,y,yes\n-3,x,no\n").unwrap()
    }

    #[test]
    fn some_rows_keep_all_categories_and_classes() {
        let rows = small().subset(&[2, 0, 2]);
        assert_eq!(rows.labels(), [0, 0, 0]);
        assert_eq!(rows.classes(), ["no", "yes"]);
        assert_eq!(rows.column("a").unwrap().values, Values::Numbers(vec![-3.0, 1.0, -3.0]));
        let names = vec!["x".to_owned(), "y".to_owned()];
        let expected = Values::Categories { codes: vec![0, 0, 0], names };
        assert_eq!(rows.column("b").unwrap().values, expected);
        assert!(rows.column("c").is_none());
    }

    #[test]
    fn the_matrix_holds_the_numbers_row_by_row() {
        let table = Table::from_csv("t", "a,b,c,class\n1,x,5,no\n2,y,6,yes\n").unwrap();
        assert_eq!(table.numbers(), (vec![1.0, 5.0, 2.0, 6.0], 2));
        assert_eq!(table.without(&["a", "unknown"]).numbers(), (vec![5.0, 6.0], 1));
    }
}
