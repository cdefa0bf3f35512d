//! Operations with a hand-written gradient, as nodes of Burn's graph.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{
    Autodiff, BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
    GradientCheckpointingStrategy, TensorMetadata,
};
use burn::tensor::{Bytes, DType, Int, Shape, Tensor};

/// A tensor of single-precision numbers as the kernels read it: contiguous.
#[derive(Debug, Clone)]
pub(crate) struct Array(FlexTensor);

impl Array {
    /// The numbers of a kernel's result.
    pub(crate) fn new(values: Vec<f32>, dims: impl Into<Shape>) -> Self {
        let shape = dims.into();
        debug_assert_eq!(values.len(), shape.num_elements());
        let bytes = Bytes::from_elems(values);
        Self(FlexTensor::new(bytes, Layout::contiguous(shape), DType::F32))
    }

    /// In place of an input that is not given or not read.
    fn absent() -> Self {
        Self::new(Vec::new(), [0])
    }

    fn contiguous(tensor: FlexTensor) -> Self {
        Self(if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() })
    }

    pub(crate) fn values(&self) -> &[f32] {
        self.0.as_slice().expect("made contiguous")
    }

    pub(crate) fn dims(&self) -> &[usize] {
        self.0.layout().shape()
    }

    /// Rows and width when all dimensions but the last are taken together.
    pub(crate) fn rows(&self) -> (usize, usize) {
        let dims = self.dims();
        let width = dims.last().copied().unwrap_or(1);
        (dims[..dims.len().saturating_sub(1)].iter().product(), width)
    }

    /// The values, unless the input was not given. (A bias or a scale is never empty.)
    pub(crate) fn given(&self) -> Option<&[f32]> {
        Some(self.values()).filter(|values| !values.is_empty())
    }

    /// Other numbers of the same shape.
    pub(crate) fn like(&self, values: Vec<f32>) -> Self {
        Self::new(values, self.0.layout().shape().clone())
    }
}

/// An operation on `N` tensors with a gradient of its own.
///
/// What it is given is contiguous. An optional input that is not there is an empty array, and its
/// gradient is never wanted.
pub(crate) trait Fused<const N: usize>: Debug + Clone + Send + 'static {
    /// What `backward` needs besides inputs and output.
    type Kept: Debug + Clone + Send + 'static;
    /// Inputs whose values `backward` reads; the others it gets empty.
    const READS: [bool; N];
    /// Whether `backward` reads the output.
    const READS_OUTPUT: bool;

    /// The output, and what to keep of the way to it.
    fn forward(&self, inputs: [&Array; N]) -> (Array, Self::Kept);

    /// The gradients of the inputs that are wanted.
    fn backward(
        &self,
        saved: &Saved<N, Self::Kept>,
        grad: &Array,
        wanted: [bool; N],
    ) -> [Option<Grad>; N];
}

/// The gradient of an input.
#[derive(Debug)]
pub(crate) enum Grad {
    /// Its numbers.
    Values(Vec<f32>),
    /// That of the output, without a copy.
    Same,
}

impl From<Vec<f32>> for Grad {
    fn from(values: Vec<f32>) -> Self {
        Self::Values(values)
    }
}

/// What `backward` is given of `forward`.
#[derive(Debug, Clone)]
pub(crate) struct Saved<const N: usize, K> {
    pub(crate) inputs: [Array; N],
    pub(crate) output: Array,
    pub(crate) kept: K,
}

/// The operation as a node of the graph.
#[derive(Debug)]
struct Node<F>(PhantomData<fn() -> F>);

impl<const N: usize, F: Fused<N>> Backward<Flex, N> for Node<F> {
    type State = (F, Saved<N, F::Kept>, [Shape; N]);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = Array::contiguous(grads.consume::<Flex>(&ops.node));
        let (op, saved, shapes) = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = op.backward(&saved, &grad, wanted);
        drop(saved);
        for ((parent, found), shape) in ops.parents.into_iter().zip(found).zip(shapes) {
            let (Some(parent), Some(found)) = (parent, found) else { continue };
            let tensor = match found {
                Grad::Values(values) => Array::new(values, shape).0,
                Grad::Same => grad.0.clone(),
            };
            grads.register::<Flex>(parent.id, tensor);
        }
    }
}

/// Runs the operation if all inputs are single-precision tensors of this processor; gives them
/// back if not, for the plain form.
pub(crate) fn run<const N: usize, F: Fused<N>>(
    op: F,
    inputs: [Option<DispatchTensor>; N],
) -> Result<DispatchTensor, [Option<DispatchTensor>; N]> {
    if !inputs.iter().flatten().all(is_ours) {
        return Err(inputs);
    }
    let is_tracked = |t: &DispatchTensor| matches!(t.kind, DispatchTensorKind::Autodiff(_));
    if !inputs.iter().flatten().any(is_tracked) {
        let arrays =
            inputs.map(|input| input.map_or_else(Array::absent, |t| Array::contiguous(plain(t))));
        let output = op.forward(arrays.each_ref()).0;
        return Ok(untracked(output.0));
    }
    let parts = inputs.map(|input| {
        let tensor = match input {
            Some(DispatchTensor { kind: DispatchTensorKind::Autodiff(inner), .. }) => {
                match *inner {
                    DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor)) => tensor,
                    _ => unreachable!("checked by `is_ours`"),
                }
            }
            Some(other) => TrackedTensor::new(plain(other)),
            None => TrackedTensor::new(Array::absent().0),
        };
        let (primitive, guard) = tensor.into_parts();
        (Array::contiguous(primitive), guard)
    });
    let mut arrays = parts.each_ref().map(|(array, _)| array.clone());
    let guards = parts.map(|(_, guard)| guard);
    let (output, kept) = op.forward(arrays.each_ref());
    let node = Node::<F>(PhantomData);
    let tracked = match node.prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::UnTracked(prep) => prep.finish(output.0),
        OpsKind::Tracked(prep) => {
            let shapes = arrays.each_ref().map(|array| array.0.shape());
            for (array, reads) in arrays.iter_mut().zip(F::READS) {
                if !reads {
                    *array = Array::absent();
                }
            }
            let kept_output = if F::READS_OUTPUT { output.clone() } else { Array::absent() };
            let saved = Saved { inputs: arrays, output: kept_output, kept };
            prep.finish((op, saved, shapes), output.0)
        }
    };
    let inner = DispatchTensorKind::Flex(BackendTensor::Autodiff(tracked));
    Ok(DispatchTensor {
        kind: DispatchTensorKind::Autodiff(Box::new(inner)),
        autodiff: DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled),
    })
}

/// An input that is always given, back for the plain form.
pub(super) fn of<const D: usize>(tensor: Option<DispatchTensor>) -> Tensor<D> {
    Tensor::from_dispatch(tensor.expect("always given"))
}

type TrackedTensor = burn::backend::tensor::FloatTensor<Autodiff<Flex>>;

/// Whether a tensor is one of Flex, single precision, without gradient checkpointing.
fn is_ours(tensor: &DispatchTensor) -> bool {
    let without = GradientCheckpointingStrategy::Disabled;
    let place = match (&tensor.kind, tensor.autodiff) {
        (DispatchTensorKind::Flex(BackendTensor::Float(_)), _) => true,
        (DispatchTensorKind::Autodiff(inner), DispatchAutodiffContext::Enabled(strategy)) => {
            strategy == without
                && matches!(**inner, DispatchTensorKind::Flex(BackendTensor::Autodiff(_)))
        }
        _ => false,
    };
    place && tensor.kind.dtype() == DType::F32
}

fn plain(tensor: DispatchTensor) -> FlexTensor {
    match tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => tensor,
        _ => unreachable!("checked by `is_ours`"),
    }
}

fn untracked(tensor: FlexTensor) -> DispatchTensor {
    DispatchTensor {
        kind: DispatchTensorKind::Flex(BackendTensor::Float(tensor)),
        autodiff: DispatchAutodiffContext::Disabled,
    }
}

/// Indices on the host, shared with the graph.
pub(crate) fn indices<const D: usize>(tensor: Tensor<D, Int>) -> Arc<[i64]> {
    if let DispatchTensorKind::Flex(BackendTensor::Int(tensor)) =
        &tensor.clone().into_dispatch().kind
        && let Some(values) = tensor.as_slice::<i64>()
    {
        return values.into();
    }
    tensor.try_into_vec_as::<i64>().expect("integers").into()
}

/// The single-precision numbers of a tensor of this processor, without gradient; nothing else is
/// taken.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Option<Array> {
    let dispatch = tensor.into_dispatch();
    if !is_ours(&dispatch) {
        return None;
    }
    let tensor = match dispatch.kind {
        DispatchTensorKind::Autodiff(inner) => match *inner {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor)) => tensor.into_primitive(),
            _ => return None,
        },
        _ => plain(dispatch),
    };
    Some(Array::contiguous(tensor))
}

/// Changes the numbers of a tensor without gradient, in place if nobody else holds them; gives the
/// tensor back if it is not one of this processor's in single precision.
#[expect(clippy::result_large_err, reason = "the tensor comes back for the plain form")]
pub(crate) fn change<const D: usize>(
    tensor: Tensor<D>,
    f: impl FnOnce(&mut [f32]),
) -> Result<Tensor<D>, Tensor<D>> {
    let dispatch = tensor.into_dispatch();
    if !is_ours(&dispatch) || !matches!(dispatch.kind, DispatchTensorKind::Flex(_)) {
        return Err(Tensor::from_dispatch(dispatch));
    }
    let mut tensor = plain(dispatch);
    let whole = tensor.layout().contiguous_offsets() == Some((0, tensor.bytes().len() / 4));
    if whole && let Some(values) = tensor.try_storage_mut::<f32>() {
        f(values);
        return Ok(Tensor::from_dispatch(untracked(tensor)));
    }
    let array = Array::contiguous(tensor);
    let mut values = array.values().to_vec();
    f(&mut values);
    Ok(Tensor::from_dispatch(untracked(array.like(values).0)))
}
