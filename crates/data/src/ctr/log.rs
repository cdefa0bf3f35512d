//! A generated log and its parts.

use super::sigmoid;
use crate::metric::expected_auc;

/// A generated log: training rows, then validation rows, then test rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CtrData {
    /// Number of fields `F`.
    pub fields: usize,
    /// Number of features `M`.
    pub features: usize,
    /// First id of each field.
    pub offsets: Vec<u32>,
    /// Feature of each row in each field, `[rows, F]`.
    pub ids: Vec<u32>,
    /// 1 where the row was clicked, `[rows]`.
    pub labels: Vec<u8>,
    /// True logit of each row, `[rows]`.
    pub logits: Vec<f64>,
    /// Whether each feature is useful, `[M]`.
    pub useful: Vec<bool>,
    /// Pairs of fields that interact.
    pub pairs: Vec<(usize, usize)>,
    /// Number of training and of validation rows; the others are test rows.
    pub(super) sizes: [usize; 2],
}

/// The rows of one part of a log.
///
/// # Shapes
/// - `ids`: `[rows, F]`, `labels` and `logits`: `[rows]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CtrRows<'a> {
    /// Feature of each row in each field.
    pub ids: &'a [u32],
    /// 1 where the row was clicked.
    pub labels: &'a [u8],
    /// True logit of each row.
    pub logits: &'a [f64],
}

impl CtrData {
    /// Rows to train on.
    pub fn train(&self) -> CtrRows<'_> {
        self.rows(0, self.sizes[0])
    }

    /// Rows to choose settings by.
    pub fn validation(&self) -> CtrRows<'_> {
        self.rows(self.sizes[0], self.sizes[0] + self.sizes[1])
    }

    /// Rows to report.
    pub fn test(&self) -> CtrRows<'_> {
        self.rows(self.sizes[0] + self.sizes[1], self.labels.len())
    }

    /// All rows.
    pub fn all(&self) -> CtrRows<'_> {
        self.rows(0, self.labels.len())
    }

    fn rows(&self, from: usize, to: usize) -> CtrRows<'_> {
        CtrRows {
            ids: &self.ids[from * self.fields..to * self.fields],
            labels: &self.labels[from..to],
            logits: &self.logits[from..to],
        }
    }

    /// The AUC that the true logits have in expectation on the test rows, or on all rows if there
    /// are no test rows: the ceiling of every model. `None` for fewer than two rows.
    pub fn bayes_auc(&self) -> Option<f64> {
        let test = self.test();
        if test.labels.is_empty() { self.all().bayes_auc() } else { test.bayes_auc() }
    }
}

impl CtrRows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Share of rows that were clicked; 0 for no rows.
    pub fn rate(&self) -> f64 {
        let clicked = self.labels.iter().map(|&label| f64::from(label)).sum::<f64>();
        clicked / self.len().max(1) as f64
    }

    /// The AUC that the true logits have in expectation: see [`expected_auc`].
    pub fn bayes_auc(&self) -> Option<f64> {
        let probabilities: Vec<f64> = self.logits.iter().map(|&z| sigmoid(z)).collect();
        expected_auc(self.logits, &probabilities)
    }
}
