//! Embedding tables in which every row has a gate.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::Rng;

use crate::init::Init;
use crate::{Error, Result, op};

/// How a [`GatedEmbedding`] applies its gates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GateMode {
    /// Not at all: the plain table.
    Off,
    /// By a logistic function that gets steeper with `tau`; trainable.
    Soft {
        /// Steepness; 1 at the start of training.
        tau: f64,
    },
    /// By a step at 0; gates get no gradient.
    Hard,
}

/// Makes a [`GatedEmbedding`].
#[derive(Debug, Clone)]
pub struct GatedEmbeddingConfig {
    values: usize,
    width: usize,
    start: f64,
    fields: Option<Vec<usize>>,
    init: Init,
}

impl GatedEmbeddingConfig {
    /// A table of `values` rows with a gate each, gates at 0.5, rows from Xavier's uniform with
    /// the fans of the whole table.
    pub fn new(values: usize, width: usize) -> Self {
        let init = Init::XavierUniform { gain: 1.0 };
        Self { values, width, start: 0.5, fields: None, init }
    }

    /// Where the gates start, m0.
    pub fn with_start(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// One gate for each field instead of one for each value; `sizes` are the numbers of values of
    /// the fields, in the order of their rows.
    pub fn with_field_gates(mut self, sizes: impl Into<Vec<usize>>) -> Self {
        self.fields = Some(sizes.into());
        self
    }

    /// How the rows are drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the table.
    ///
    /// # Errors
    /// If a size is 0, the gates would start closed, or the fields do not add up to the values.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<GatedEmbedding> {
        const LAYER: &str = "GatedEmbedding";
        let (m, d) = (self.values, self.width);
        Error::unless(m > 0, LAYER, "values", m, "at least 1")?;
        Error::unless(d > 0, LAYER, "width", d, "at least 1")?;
        Error::unless(self.start > 0.0, LAYER, "start", self.start, "more than 0: an open gate")?;
        let owner = match &self.fields {
            None => None,
            Some(sizes) => {
                let sum: usize = sizes.iter().sum();
                Error::unless(sum == m, LAYER, "field sizes, summed", sum, "the number of values")?;
                let owners = sizes.iter().enumerate();
                let owners: Vec<i32> =
                    owners.flat_map(|(field, &n)| std::iter::repeat_n(field as i32, n)).collect();
                Some(Tensor::from_data(TensorData::new(owners, [m]), device))
            }
        };
        let gates = self.fields.as_ref().map_or(m, Vec::len);
        Ok(GatedEmbedding {
            table: self.init.param([m, d], (m, d), device, rng),
            gate: Init::Constant(self.start).param([gates, 1], (1, 1), device, rng),
            owner,
            start: self.start,
        })
    }
}

/// A table of vectors of which every row has a gate, soft while it is learnt and hard afterwards.
///
/// ```text
/// e_f = g_f E_f
/// Off    g_f = 1
/// Soft   g_f = sigmoid(tau m_f) / sigmoid(m0)      1 at the start, where tau = 1 and m_f = m0
/// Hard   g_f = 1[m_f > 0] / sigmoid(m0)            the limit of tau -> infinity
/// L1     sum over all rows of sigmoid(tau m_f)
/// ```
///
/// The constant `1 / sigmoid(m0)` stays in the hard gates: without it the vectors would shrink
/// between the two phases against everything that was trained on them. With one gate for each
/// field, `m_f` is the gate of the field to which row f belongs, and nothing else changes: the
/// penalty still counts rows, so that its weight means the same price for a row kept.
///
/// A clone is a checkpoint; [`GatedEmbedding::rewind`] takes its rows back and keeps the gates.
///
/// # Shapes
/// - `ids`: `[rows, fields]`, integers below `values`
/// - `E`: `[values, width]`, `m`: `[values, 1]`, or `[fields, 1]` with one gate for each field
/// - `lookup`: `[rows, fields, width]`; `l1`: `[1]`
///
/// # Source
/// `OptFS`, arXiv:2301.10909, section 3; m0 = 0.5 and the constant as in the authors' code.
///
/// # Panics
/// `lookup` if an id is not below `values`.
///
/// # Example
/// ```
/// use burn::tensor::{Int, Tensor};
/// use pressrun_nn::{ctr::{GateMode, GatedEmbeddingConfig}, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let table = GatedEmbeddingConfig::new(6, 4).init(&device, &mut rng)?;
/// let table = table.with_kept(&[true, false, true, true, false, true]);
/// let ids = Tensor::<2, Int>::from_ints([[0, 4], [1, 5]], &device);
/// let e = table.lookup(ids, GateMode::Hard);
/// assert_eq!(e.dims(), [2, 2, 4]);
/// let closed = e.slice([0..1, 1..2]).abs().sum().into_scalar::<f32>();
/// assert_eq!(closed, 0.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct GatedEmbedding {
    /// E, `[values, width]`.
    pub table: Param<Tensor<2>>,
    /// m, `[values, 1]`, or `[fields, 1]` with one gate for each field.
    pub gate: Param<Tensor<2>>,
    /// The field to which each row belongs, `[values]`, with one gate for each field.
    owner: Option<Tensor<1, Int>>,
    /// m0.
    start: f64,
}

impl GatedEmbedding {
    /// The gated vectors of these ids.
    ///
    /// # Panics
    /// If an id is not below `values`.
    pub fn lookup(&self, ids: Tensor<2, Int>, mode: GateMode) -> Tensor<3> {
        let [rows, fields] = ids.dims();
        let [values, width] = self.table.dims();
        let flat = op::indices(ids);
        let table = self.table.val();
        let picked = match self.gates(mode) {
            None => op::gather(table, &flat),
            // Gating costs a pass over what is gated: over the table where that is smaller than
            // the batch, and a second gather is saved as well.
            Some(g) if values <= rows * fields => op::gather(table * g, &flat),
            Some(g) => op::gather(table, &flat) * op::gather(g, &flat),
        };
        picked.reshape([rows, fields, width])
    }

    /// The sum over all rows, not only those of a batch, of `sigmoid(tau m)`.
    pub fn l1(&self, tau: f64) -> Tensor<1> {
        sigmoid(self.raw() * tau).sum()
    }

    /// Which rows have a gate that is not exactly 0 in this mode.
    pub fn kept(&self, mode: GateMode) -> Vec<bool> {
        match self.gates(mode) {
            None => vec![true; self.table.dims()[0]],
            Some(g) => host(g).into_iter().map(|g| g != 0.0).collect(),
        }
    }

    /// The same rows with these gates open and all others closed, one gate for each value.
    ///
    /// # Panics
    /// If there is not one entry for each row.
    pub fn with_kept(mut self, kept: &[bool]) -> Self {
        let [values, _] = self.table.dims();
        assert_eq!(
            kept.len(),
            values,
            "GatedEmbedding: {} gates for a table of {values} rows",
            kept.len()
        );
        let start = self.start as f32;
        let gates: Vec<f32> = kept.iter().map(|&k| if k { start } else { -start }).collect();
        let device = self.table.val().device();
        self.gate =
            Param::from_tensor(Tensor::from_data(TensorData::new(gates, [values, 1]), &device));
        self.owner = None;
        self
    }

    /// The same table with gates that get no gradient in any mode.
    pub fn with_frozen_gates(mut self) -> Self {
        self.gate = self.gate.set_require_grad(false);
        self
    }

    /// The rows of a checkpoint under the gates of this table.
    ///
    /// # Panics
    /// If the tables differ in shape.
    pub fn rewind(mut self, checkpoint: &Self) -> Self {
        let (now, then) = (self.table.dims(), checkpoint.table.dims());
        assert_eq!(now, then, "GatedEmbedding: a table {now:?} rewound to one of {then:?}");
        self.table = checkpoint.table.clone();
        self
    }

    /// m of every row, `[values, 1]`.
    fn raw(&self) -> Tensor<2> {
        match &self.owner {
            None => self.gate.val(),
            Some(owner) => op::gather(self.gate.val(), &op::indices(owner.clone())),
        }
    }

    /// g of every row, `[values, 1]`; none where every gate is 1.
    fn gates(&self, mode: GateMode) -> Option<Tensor<2>> {
        let constant = 1.0 + (-self.start).exp();
        match mode {
            GateMode::Off => None,
            GateMode::Soft { tau } => Some(sigmoid(self.raw() * tau) * constant),
            GateMode::Hard => Some(self.raw().greater_elem(0.0).float() * constant),
        }
    }
}

fn host(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("a float tensor reads as f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};
    use burn::tensor::Tolerance;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn table(values: usize, width: usize) -> GatedEmbedding {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let init = Init::Normal { mean: 0.0, std: 0.5 };
        GatedEmbeddingConfig::new(values, width).with_init(init).init(&device, &mut rng).unwrap()
    }

    fn with_gates(mut table: GatedEmbedding, gates: &[f32]) -> GatedEmbedding {
        let device = table.table.val().device();
        let data = TensorData::new(gates.to_vec(), [gates.len(), 1]);
        table.gate = Param::from_tensor(Tensor::from_data(data, &device));
        table
    }

    fn ids(rows: &[[i32; 2]]) -> Tensor<2, Int> {
        let flat: Vec<i32> = rows.iter().flatten().copied().collect();
        let device = device::named("flex").unwrap();
        Tensor::from_data(TensorData::new(flat, [rows.len(), 2]), &device)
    }

    #[test]
    fn gate_values_at_five_points_and_three_temperatures() {
        // 1 / (1 + exp(-tau m)) * (1 + exp(-0.5)), by hand; 1 / sigmoid(0.5) = 1.60653066.
        let points = [0.5f32, 0.02, 0.0, -0.02, -0.1];
        let expected = [
            (1.0, [1.0, 0.811298, 0.803265, 0.795233, 0.763135]),
            (100.0, [1.606531, 1.415028, 0.803265, 0.191503, 7.3e-5]),
            (1000.0, [1.606531, 1.606531, 0.803265, 0.0, 0.0]),
        ];
        let table = with_gates(table(5, 1), &points);
        for (tau, values) in expected {
            let gates = host(table.gates(GateMode::Soft { tau }).unwrap());
            for (got, want) in gates.iter().zip(values) {
                assert!((got - want).abs() < 2e-6, "tau {tau}: {got}, expected {want}");
            }
        }
        let hard = host(table.gates(GateMode::Hard).unwrap());
        assert_eq!(hard, [1.606_530_7, 1.606_530_7, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn gates_of_a_new_table_are_1() {
        let table = table(9, 3);
        let ids = ids(&[[0, 8], [4, 4]]);
        let soft = table.lookup(ids.clone(), GateMode::Soft { tau: 1.0 });
        let off = table.lookup(ids, GateMode::Off);
        soft.into_data().assert_approx_eq::<f32>(&off.into_data(), Tolerance::absolute(1e-6));
        assert_eq!(table.kept(GateMode::Hard), [true; 9]);
    }

    #[test]
    fn both_orders_of_gating_agree() {
        // 3 rows: the table is gated; 40 rows and 4 ids: what was looked up is gated.
        let small = with_gates(table(3, 2), &[0.3, -0.2, 0.1]);
        let mut gates = vec![0.3, -0.2, 0.1];
        gates.resize(40, 0.4);
        let mut large = with_gates(table(40, 2), &gates);
        let head = small.table.val().inner();
        let tail = large.table.val().inner().slice_dim(0, 3..40);
        large.table = Param::from_tensor(Tensor::cat(vec![head, tail], 0).autodiff());
        for mode in [GateMode::Soft { tau: 5.0 }, GateMode::Hard, GateMode::Off] {
            let a = small.lookup(ids(&[[0, 1], [2, 1]]), mode).into_data();
            let b = large.lookup(ids(&[[0, 1], [2, 1]]), mode).into_data();
            a.assert_approx_eq::<f32>(&b, Tolerance::absolute(1e-6));
        }
    }

    #[test]
    fn gradients_of_table_and_gates() {
        let weights = Tensor::<3>::from_floats(
            [[[1.0, -2.0], [0.5, 1.5]], [[2.0, 1.0], [-1.0, 0.3]]],
            &device::named("flex").unwrap(),
        );
        for values in [3, 6] {
            let mut gates = vec![0.3f32, -0.2, 0.1];
            gates.resize(values, 0.2);
            let table = with_gates(table(values, 2), &gates);
            testing::check_module(&table, |t: &GatedEmbedding| {
                let e = t.lookup(ids(&[[0, 1], [2, 1]]), GateMode::Soft { tau: 2.0 });
                (e * weights.clone()).sum() + t.l1(2.0)
            });
        }
    }

    #[test]
    fn the_penalty_reaches_every_row_in_or_out_of_a_batch() {
        // d L1 / d m at m0 and tau = 1: sigmoid(0.5) (1 - sigmoid(0.5)) = 0.235004.
        let table = table(7, 2);
        let e = table.lookup(ids(&[[0, 1]]), GateMode::Soft { tau: 1.0 });
        let lambda = 1e-2;
        let grads = (e.sum() * 0.0 + table.l1(1.0) * lambda).backward();
        for slope in host(table.gate.val().grad(&grads).unwrap()) {
            assert!((f64::from(slope) - lambda * 0.235004).abs() < 1e-8, "{slope}");
        }
        assert!((table.l1(1.0).into_scalar::<f32>() - 7.0 * 0.622_459_4).abs() < 1e-5);
    }

    #[test]
    fn steep_soft_gates_are_hard_gates() {
        let table = with_gates(table(4, 3), &[0.3, -0.01, 0.02, -0.5]);
        let at = |mode| table.lookup(ids(&[[0, 1], [2, 3]]), mode);
        let mut last = f32::INFINITY;
        for tau in [10.0, 100.0, 1000.0, 10000.0] {
            let off = at(GateMode::Soft { tau }) - at(GateMode::Hard);
            let off = off.abs().max().into_scalar::<f32>();
            assert!(off < last, "tau {tau}: {off}, before {last}");
            last = off;
        }
        assert!(last < 1e-6);
        assert_eq!(table.kept(GateMode::Hard), [true, false, true, false]);
        assert_eq!(table.kept(GateMode::Soft { tau: 1.0 }), [true; 4]);
    }

    #[test]
    fn hard_gates_get_no_gradient_and_close_their_rows() {
        let table = with_gates(table(4, 2), &[0.3, -0.01, 0.02, -0.5]);
        let grads = table.lookup(ids(&[[0, 1], [2, 3]]), GateMode::Hard).sum().backward();
        assert!(table.gate.val().grad(&grads).is_none());
        let slopes = host(table.table.val().grad(&grads).unwrap());
        let c = 1.606_530_7;
        assert_eq!(slopes, [c, c, 0.0, 0.0, c, c, 0.0, 0.0]);
    }

    #[test]
    fn field_gates_are_shared_by_the_rows_of_a_field() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let config = GatedEmbeddingConfig::new(5, 2).with_field_gates([2, 3]);
        let table = config.init(&device, &mut rng).unwrap();
        assert_eq!(table.gate.dims(), [2, 1]);
        // The penalty counts rows: its slope at a field's gate is that of its rows together.
        let grads = table.l1(1.0).backward();
        let slopes = host(table.gate.val().grad(&grads).unwrap());
        assert!((slopes[0] - 2.0 * 0.235_004).abs() < 1e-5);
        assert!((slopes[1] - 3.0 * 0.235_004).abs() < 1e-5);
        let table = with_gates(table, &[-0.1, 0.1]);
        assert_eq!(table.kept(GateMode::Hard), [false, false, true, true, true]);
        assert!(config.clone().with_field_gates([2, 2]).init(&device, &mut rng).is_err());
    }

    #[test]
    fn frozen_gates_get_no_gradient_even_where_they_are_soft() {
        let table = table(4, 2).with_frozen_gates();
        let mode = GateMode::Soft { tau: 1.0 };
        let grads = table.lookup(ids(&[[0, 1], [2, 3]]), mode).sum().backward();
        assert!(table.gate.val().grad(&grads).is_none());
        assert!(table.table.val().grad(&grads).is_some());
    }

    #[test]
    fn rewinding_keeps_the_gates() {
        let early = table(4, 2);
        let mut late = early.clone();
        late.table = late.table.map(|t| (t * 2.0).detach().require_grad());
        let late = with_gates(late, &[0.1, -0.1, 0.2, -0.2]);
        let back = late.clone().rewind(&early);
        assert_eq!(host(back.table.val()), host(early.table.val()));
        assert_eq!(host(back.gate.val()), host(late.gate.val()));
    }
}
