//! Weighted sums of rows.

use std::sync::Arc;

use burn::tensor::{IndexingUpdateOp, Int, Tensor};
use pressrun_kernels::bag::{bag_sums, bag_sums_backward};

use super::{Array, Fused, Grad, Saved, run};
use crate::embedding::Bags;

/// The weighted sum of a table's rows for each bag.
///
/// # Shapes
/// - `table`: `[n, width]`, output: `[bags, width]`
///
/// # Panics
/// If an index is not below `n`.
pub(crate) fn bag(table: Tensor<2>, bags: &Arc<Bags>) -> Tensor<2> {
    match run(BagSums(Arc::clone(bags)), [Some(table.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([table]) => plain(Tensor::from_dispatch(table.expect("always given")), bags),
    }
}

/// The definition in tensor operations.
fn plain(table: Tensor<2>, bags: &Bags) -> Tensor<2> {
    let (device, width) = (table.device(), table.dims()[1]);
    let list = |values: Vec<i64>| Tensor::<1, Int>::from_ints(&values[..], &device);
    let weights = Tensor::<1>::from_floats(bags.weights(), &device).unsqueeze_dim::<2>(1);
    let rows = table.select(0, list(bags.indices().iter().map(|i| i64::from(*i)).collect()));
    let ends = bags.offsets().windows(2).enumerate();
    let owners = ends.flat_map(|(b, ends)| std::iter::repeat_n(b as i64, ends[1] - ends[0]));
    let zeros = Tensor::<2>::zeros([bags.len(), width], &device);
    zeros.select_assign(0, list(owners.collect()), rows * weights, IndexingUpdateOp::Add)
}

#[derive(Debug, Clone)]
struct BagSums(Arc<Bags>);

impl Fused<1> for BagSums {
    /// Rows and width of the table.
    type Kept = [usize; 2];
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [table]: [&Array; 1]) -> (Array, [usize; 2]) {
        let size: [usize; 2] = table.dims().try_into().expect("two dimensions");
        let y = bag_sums(table.values(), size, self.0.borrowed());
        (Array::new(y, [self.0.len(), size[1]]), size)
    }

    fn backward(
        &self,
        saved: &Saved<1, [usize; 2]>,
        grad: &Array,
        _: [bool; 1],
    ) -> [Option<Grad>; 1] {
        [Some(bag_sums_backward(grad.values(), saved.kept, self.0.borrowed()).into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn equals_its_plain_form() {
        let device = device::named("flex").unwrap();
        let values: Vec<f32> = (0..15).map(|i| (i as f32 * 0.7).sin()).collect();
        let table =
            || Tensor::<1>::from_floats(&values[..], &device).reshape([5, 3]).require_grad();
        let mut bags = Bags::default();
        bags.push([(3, 0.5), (0, 1.0), (3, -2.0)]);
        bags.push([]);
        bags.push([(4, 1.5)]);
        let bags = Arc::new(bags);
        let (a, b) = (table(), table());
        let (mine, other) = (bag(a.clone(), &bags), plain(b.clone(), &bags));
        let grads =
            (mine.clone().square().sum().backward(), other.clone().square().sum().backward());
        let far = |x: Tensor<2>, y: Tensor<2>| (x - y).abs().max().into_scalar::<f32>();
        assert!(far(mine, other) < 1e-6);
        assert!(far(a.grad(&grads.0).unwrap(), b.grad(&grads.1).unwrap()) < 1e-6);
    }

    #[test]
    #[should_panic(expected = "index 5, expected 0..5")]
    fn an_index_out_of_range_panics() {
        let device = device::named("flex").unwrap();
        let mut bags = Bags::default();
        bags.push([(5, 1.0)]);
        bag(Tensor::ones([5, 1], &device), &Arc::new(bags));
    }
}
