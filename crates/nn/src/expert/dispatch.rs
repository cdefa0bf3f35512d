//! Tokens to experts and back.

use burn::tensor::Tensor;

use crate::gate::Routing;
use crate::op;

/// Sends each token to its experts and adds up what comes back.
///
/// ```text
/// y_s = sum over e with c_se = 1 of g_se Expert_e(x_s)
/// ```
///
/// `expert(e, rows)` gets the tokens of expert `e` as rows, and is not called if there are none.
/// The number of rows over all calls is `routing.chosen.evaluations()`.
///
/// # Shapes
/// - `x`: `[tokens, inputs]`; rows: `[tokens of e, inputs]` to `[tokens of e, outputs]`
/// - output: `[tokens, outputs]`
///
/// # Panics
/// If `x` and `routing` differ in tokens, if no token has an expert, or if an expert changes the
/// number of rows.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, expert::dispatch, gate::{Chosen, Routing}};
///
/// let device = device::named("flex")?;
/// let chosen = Chosen::one_hot(&[1, 0], 2);
/// let routing = Routing::new(chosen.tensor(&device), chosen);
/// let x = Tensor::<2>::from_floats([[5.0], [7.0]], &device);
/// let y = dispatch(x, &routing, |expert, rows| rows * (expert as f64 + 1.0));
/// let y: Vec<f32> = y.try_into_vec_as()?;
/// assert_eq!(y, [10.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dispatch(
    x: Tensor<2>,
    routing: &Routing,
    expert: impl Fn(usize, Tensor<2>) -> Tensor<2>,
) -> Tensor<2> {
    let chosen = &routing.chosen;
    let (tokens, experts) = (chosen.tokens(), chosen.experts());
    assert_eq!(
        x.dims()[0],
        tokens,
        "dispatch: input {:?} does not fit a routing of {tokens} tokens",
        x.dims()
    );
    let (mut outputs, mut places, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for e in 0..experts {
        let rows: Vec<i64> = chosen.tokens_of(e).into_iter().map(|token| token as i64).collect();
        if rows.is_empty() {
            continue;
        }
        let all = rows.len() == tokens;
        let input = if all { x.clone() } else { op::gather(x.clone(), &rows.clone().into()) };
        let output = expert(e, input);
        assert_eq!(
            output.dims()[0],
            rows.len(),
            "dispatch: expert {e} made {:?} of {} rows",
            output.dims(),
            rows.len()
        );
        outputs.push(output);
        entries.extend(rows.iter().map(|token| token * experts as i64 + e as i64));
        places.extend(rows);
    }
    assert!(!outputs.is_empty(), "dispatch: no token has an expert");
    // One multiplication and one addition into place for all experts together.
    let outputs = Tensor::cat(outputs, 0);
    let weights = routing.weights.clone().reshape([tokens * experts, 1]);
    let weighted = outputs * op::gather(weights, &entries.into());
    op::scatter_add(weighted, &places.into(), tokens)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;
    use crate::gate::Chosen;
    use crate::{device, testing};

    #[test]
    fn an_expert_without_tokens_is_not_evaluated_and_rows_are_counted() {
        let device = device::named("flex").unwrap();
        let rows = vec![true, false, true, true, false, false];
        let chosen = Chosen::new(rows, 3);
        let routing = Routing::new(chosen.tensor(&device), chosen);
        let calls = RefCell::new(Vec::new());
        let x = Tensor::<2>::from_floats([[1.0], [2.0]], &device);
        let y = dispatch(x, &routing, |expert, rows| {
            calls.borrow_mut().push((expert, rows.dims()[0]));
            rows * 10.0
        });
        assert_eq!(calls.into_inner(), [(0, 2), (2, 1)]);
        assert_eq!(routing.chosen.evaluations(), 3);
        let y: Vec<f32> = y.try_into_vec_as().unwrap();
        assert_eq!(y, [20.0, 20.0]);
    }

    #[test]
    fn gradients_to_inputs_and_weights() {
        let device = device::named("flex").unwrap();
        let chosen = Chosen::new(vec![true, true, false, true, true, false], 2);
        let mask = chosen.tensor(&device);
        let g = [0.7, 0.3, 0.0, 0.9, 0.4, 0.0];
        let weights = Tensor::<1>::from_floats(g, &device).reshape([3, 2]);
        let x = Tensor::<1>::from_floats([0.5, -1.0, 2.0], &device).reshape([3, 1]);
        let run = |x: Tensor<2>, g: Tensor<2>| {
            let weights = g * mask.clone();
            let routing = Routing::new(weights, chosen.clone());
            dispatch(x, &routing, |e, rows| (rows * (e as f64 + 1.0)).tanh()).square().sum()
        };
        testing::check_input(&device, [3, 1], &[0.5, -1.0, 2.0], |x| run(x, weights.clone()));
        testing::check_input(&device, [3, 2], &g, |g| run(x.clone(), g));
    }

    proptest! {
        #[test]
        fn it_is_the_weighted_sum_over_the_chosen(
            (tokens, experts, rows) in (1..6usize, 1..5usize).prop_flat_map(|(t, e)| {
                (Just(t), Just(e), prop::collection::vec(any::<bool>(), t * e))
            }),
        ) {
            prop_assume!(rows.contains(&true));
            let device = device::named("flex").unwrap();
            let chosen = Chosen::new(rows, experts);
            let values: Vec<f32> = (0..tokens * experts).map(|i| 0.1 + i as f32 / 7.0).collect();
            let g = Tensor::<1>::from_floats(values.as_slice(), &device);
            let weights = g.reshape([tokens, experts]) * chosen.tensor(&device);
            let routing = Routing::new(weights, chosen.clone());
            let inputs: Vec<f32> = (0..tokens).map(|s| s as f32 - 1.5).collect();
            let x = Tensor::<1>::from_floats(inputs.as_slice(), &device).reshape([tokens, 1]);
            let y: Vec<f32> = dispatch(x, &routing, |e, rows| rows + e as f64).try_into_vec_as().unwrap();
            for s in 0..tokens {
                let parts = (0..experts).filter(|&e| chosen.get(s, e));
                let sum: f32 =
                    parts.map(|e| values[s * experts + e] * (inputs[s] + e as f32)).sum();
                prop_assert!((y[s] - sum).abs() < 1e-4, "token {}: {} for {}", s, y[s], sum);
            }
        }
    }
}
