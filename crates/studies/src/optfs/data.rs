//! The two logs: a planted one, whose useful features are known, and the census table.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::{ctr, split, table};
use pressrun_lab::{DataUse, Error, Result, stream};

use super::Config;

/// Which data an arm trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Generated, with known useful features.
    Planted,
    /// The census of 1994, numbers in buckets.
    Census,
}

/// Rows of a log.
#[derive(Debug)]
pub struct Rows {
    /// Feature of each row in each field, `[rows, fields]`.
    pub ids: Vec<i32>,
    /// 1 where the row was clicked, `[rows]`.
    pub labels: Vec<u8>,
}

/// What the generator knows.
#[derive(Debug)]
pub struct Truth {
    /// Whether each feature is useful, `[features]`.
    pub useful: Vec<bool>,
    /// Pairs of fields that interact.
    pub pairs: Vec<(usize, usize)>,
    /// AUC of the true logits on the test rows.
    pub bayes_auc: f64,
}

/// A log in three parts.
#[derive(Debug)]
pub struct Log {
    /// Number of values of each field.
    pub sizes: Vec<usize>,
    /// Rows to train on.
    pub train: Rows,
    /// Rows to choose by.
    pub validation: Rows,
    /// Rows to report.
    pub test: Rows,
    /// The ground truth, where there is one.
    pub truth: Option<Truth>,
    /// What the record says about the data.
    pub data_use: DataUse,
}

impl Rows {
    fn new(ids: &[u32], labels: &[u8]) -> Self {
        Self { ids: ids.iter().map(|&id| id as i32).collect(), labels: labels.to_vec() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Share of clicked rows.
    pub fn rate(&self) -> f64 {
        self.labels.iter().map(|&y| f64::from(y)).sum::<f64>() / self.len() as f64
    }

    /// Ids `[n, fields]` and labels `[n]` of these rows.
    pub fn batch(&self, rows: &[usize], device: &Device) -> (Tensor<2, Int>, Tensor<1>) {
        let (n, fields) = (rows.len(), self.ids.len() / self.len());
        let ids = rows.iter().flat_map(|&r| &self.ids[r * fields..(r + 1) * fields]).copied();
        let ids = TensorData::new(ids.collect::<Vec<i32>>(), [n, fields]);
        let labels: Vec<f32> = rows.iter().map(|&r| f32::from(self.labels[r])).collect();
        let labels = TensorData::new(labels, [n]);
        (Tensor::from_data(ids, device), Tensor::from_data(labels, device))
    }
}

impl Log {
    /// The log of this seed: other truth and rows for the planted one, another split of the census.
    pub fn load(source: Source, config: &Config, seed: u64) -> Result<Self> {
        match source {
            Source::Planted => planted(config, seed),
            Source::Census => Ok(census(config, seed)),
        }
    }

    /// Number of features in all fields.
    pub fn features(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// How often each feature occurs in the training rows.
    pub fn frequencies(&self) -> Vec<usize> {
        let mut counts = vec![0; self.features()];
        self.train.ids.iter().for_each(|&id| counts[id as usize] += 1);
        counts
    }
}

fn planted(config: &Config, seed: u64) -> Result<Log> {
    let [train, validation, test] = config.rows;
    let numbers = &config.planted;
    let log = ctr::generate(numbers, train, validation, test, &mut stream(seed, "data"))
        .map_err(|e| Error::Data(e.to_string()))?;
    let rows = |part: ctr::CtrRows<'_>| Rows::new(part.ids, part.labels);
    let bayes_auc = log.bayes_auc().ok_or_else(|| Error::Data("a log without rows".into()))?;
    Ok(Log {
        sizes: sizes(&log.offsets, log.features),
        train: rows(log.train()),
        validation: rows(log.validation()),
        test: rows(log.test()),
        truth: Some(Truth { useful: log.useful.clone(), pairs: log.pairs.clone(), bayes_auc }),
        data_use: DataUse {
            name: ctr::NAME.into(),
            origin: "generated".into(),
            identity: format!("{numbers}; one log for each seed"),
            part: format!("{train} train, {validation} validation, {test} test"),
        },
    })
}

fn census(config: &Config, seed: u64) -> Log {
    // The weight of a row in the survey says nothing about the person, but it has as many values
    // as any field: it stays in, as the noise field of a real log.
    let table = table::census();
    let held_out = table.len() / 10;
    let mut rng = stream(seed, "split");
    let (kept, test) = split::random(table.len(), table.len() - held_out, &mut rng);
    let (train, validation) = kept.split_at(kept.len() - held_out);
    let train = table.subset(train);
    let buckets = table::Buckets::fit(&train, config.buckets);
    let fitted = buckets.apply(&train);
    let rows = |part: &table::Bucketed| Rows::new(&part.ids, &part.labels);
    let other = |rows_of: &[usize]| rows(&buckets.apply(&table.subset(rows_of)));
    let sha256 = pressrun_data::card::card("census")
        .map(|card| card.sha256.iter().map(|sum| sum.sha256).collect::<Vec<_>>().join(" "));
    Log {
        sizes: sizes(&fitted.offsets, fitted.features),
        train: rows(&fitted),
        validation: other(validation),
        test: other(&test),
        truth: None,
        data_use: DataUse {
            name: "census".into(),
            origin: "embedded".into(),
            identity: sha256.unwrap_or_default(),
            part: format!(
                "{} train, {held_out} validation, {held_out} test; numbers in at most {} buckets",
                table.len() - 2 * held_out,
                config.buckets
            ),
        },
    }
}

fn sizes(offsets: &[u32], features: usize) -> Vec<usize> {
    let ends = offsets.iter().skip(1).map(|&o| o as usize).chain([features]);
    offsets.iter().zip(ends).map(|(&start, end)| end - start as usize).collect()
}
