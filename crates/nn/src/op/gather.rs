//! Rows by index, and back.

use std::sync::Arc;

use burn::tensor::{IndexingUpdateOp, Int, Tensor};
use pressrun_kernels::gather::{gather_rows, scatter_add_rows};

use super::{Array, Fused, Grad, Saved, run};

/// The rows of a table with these indices.
///
/// # Shapes
/// - `table`: `[n, width]`, output: `[indices, width]`
///
/// # Panics
/// If an index is not below `n`.
pub(crate) fn gather(table: Tensor<2>, indices: &Arc<[i64]>) -> Tensor<2> {
    match run(Gather { indices: Arc::clone(indices) }, [Some(table.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([table]) => {
            let table: Tensor<2> = Tensor::from_dispatch(table.expect("always given"));
            let indices = Tensor::<1, Int>::from_ints(&indices[..], &table.device());
            table.select(0, indices)
        }
    }
}

/// Rows added up at these indices of `n` rows of zeros.
///
/// # Shapes
/// - `rows`: `[indices, width]`, output: `[n, width]`
///
/// # Panics
/// If an index is not below `n`.
pub(crate) fn scatter_add(rows: Tensor<2>, indices: &Arc<[i64]>, n: usize) -> Tensor<2> {
    match run(ScatterAdd { indices: Arc::clone(indices), n }, [Some(rows.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([rows]) => {
            let rows: Tensor<2> = Tensor::from_dispatch(rows.expect("always given"));
            let device = rows.device();
            let indices = Tensor::<1, Int>::from_ints(&indices[..], &device);
            let empty = Tensor::zeros([n, rows.dims()[1]], &device);
            empty.select_assign(0, indices, rows, IndexingUpdateOp::Add)
        }
    }
}

fn size(array: &Array) -> [usize; 2] {
    array.dims().try_into().expect("two dimensions")
}

#[derive(Debug, Clone)]
struct Gather {
    indices: Arc<[i64]>,
}

impl Fused<1> for Gather {
    /// Rows and width of the table.
    type Kept = [usize; 2];
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [table]: [&Array; 1]) -> (Array, [usize; 2]) {
        let [n, width] = size(table);
        let y = gather_rows(table.values(), [n, width], &self.indices, None);
        (Array::new(y, [self.indices.len(), width]), [n, width])
    }

    fn backward(
        &self,
        saved: &Saved<1, [usize; 2]>,
        grad: &Array,
        _: [bool; 1],
    ) -> [Option<Grad>; 1] {
        [Some(scatter_add_rows(grad.values(), saved.kept, &self.indices, None).into())]
    }
}

#[derive(Debug, Clone)]
struct ScatterAdd {
    indices: Arc<[i64]>,
    n: usize,
}

impl Fused<1> for ScatterAdd {
    type Kept = ();
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [rows]: [&Array; 1]) -> (Array, ()) {
        let to = [self.n, size(rows)[1]];
        (Array::new(scatter_add_rows(rows.values(), to, &self.indices, None), to), ())
    }

    fn backward(&self, _: &Saved<1, ()>, grad: &Array, _: [bool; 1]) -> [Option<Grad>; 1] {
        [Some(gather_rows(grad.values(), size(grad), &self.indices, None).into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn both_equal_their_plain_forms() {
        let device = device::named("flex").unwrap();
        let values: Vec<f32> = (0..15).map(|i| (i as f32 * 0.7).sin()).collect();
        let table =
            || Tensor::<1>::from_floats(&values[..], &device).reshape([5, 3]).require_grad();
        let list: Arc<[i64]> = [3, 0, 3, 4, 0].into();
        let ints = Tensor::<1, Int>::from_ints(&list[..], &device);
        let (a, b) = (table(), table());
        let (mine, plain) = (gather(a.clone(), &list), b.clone().select(0, ints.clone()));
        let (ga, gb) =
            (mine.clone().square().sum().backward(), plain.clone().square().sum().backward());
        assert_eq!(mine.into_data(), plain.into_data());
        let same = (a.grad(&ga).unwrap() - b.grad(&gb).unwrap()).abs().max().into_scalar::<f32>();
        assert!(same < 1e-6);
        let (a, b) = (table(), table());
        let mine = scatter_add(a.clone(), &list, 7);
        let empty = Tensor::zeros([7, 3], &device);
        let plain = empty.select_assign(0, ints, b.clone(), IndexingUpdateOp::Add);
        let (ga, gb) =
            (mine.clone().square().sum().backward(), plain.clone().square().sum().backward());
        assert!((mine - plain).abs().max().into_scalar::<f32>() < 1e-6);
        let same = (a.grad(&ga).unwrap() - b.grad(&gb).unwrap()).abs().max().into_scalar::<f32>();
        assert!(same < 1e-6);
    }

    #[test]
    #[should_panic(expected = "index 5 at position 1")]
    fn an_index_out_of_range_panics() {
        let device = device::named("flex").unwrap();
        gather(Tensor::ones([5, 1], &device), &[0, 5].into());
    }
}
