//! One expert for each symbol, fixed at random.

use burn::module::Module;
use burn::tensor::Device;
use rand::{Rng, RngExt};

use super::{Chosen, Routing};
use crate::{Error, Result};

/// Makes a [`HashGate`].
#[derive(Debug, Clone)]
pub struct HashGateConfig {
    symbols: usize,
    experts: usize,
}

impl HashGateConfig {
    /// A gate for this many symbols.
    pub fn new(symbols: usize, experts: usize) -> Self {
        Self { symbols, experts }
    }

    /// Makes the gate: each symbol gets an expert, all equally likely.
    ///
    /// # Errors
    /// If there are no symbols or no experts.
    pub fn init(&self, rng: &mut (impl Rng + ?Sized)) -> Result<HashGate> {
        Error::unless(self.symbols > 0, "HashGate", "symbols", self.symbols, "at least 1")?;
        Error::unless(self.experts > 0, "HashGate", "experts", self.experts, "at least 1")?;
        let expert_of = (0..self.symbols).map(|_| rng.random_range(0..self.experts)).collect();
        Ok(HashGate { expert_of, experts: self.experts })
    }
}

/// Sends each token to the expert of its symbol; nothing is learned.
///
/// ```text
/// c = one-hot(hash(symbol))        g = c
/// ```
///
/// # Shapes
/// - symbols: `[tokens]`
/// - weights: `[tokens, experts]`
///
/// # Source
/// Hash Layers, arXiv:2106.04426, random hashing.
///
/// # Panics
/// `forward` if a symbol is not below the number of symbols.
///
/// # Example
/// ```
/// use pressrun_nn::{device, gate::HashGateConfig};
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = HashGateConfig::new(100, 8).init(&mut rng)?;
/// let routing = gate.forward(&[7, 3, 7], &device::named("flex")?);
/// let expert = |token| (0..8).find(|e| routing.chosen.get(token, *e));
/// assert_eq!(expert(0), expert(2));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct HashGate {
    #[module(skip)]
    expert_of: Vec<usize>,
    experts: usize,
}

impl HashGate {
    /// Routes the tokens with these symbols.
    ///
    /// # Panics
    /// If a symbol is not below the number of symbols.
    pub fn forward(&self, symbols: &[u32], device: &Device) -> Routing {
        let expert_of: Vec<usize> = symbols
            .iter()
            .map(|&symbol| {
                let known = self.expert_of.len();
                *self
                    .expert_of
                    .get(symbol as usize)
                    .unwrap_or_else(|| panic!("HashGate: symbol {symbol} of {known}"))
            })
            .collect();
        let chosen = Chosen::one_hot(&expert_of, self.experts);
        Routing::new(chosen.tensor(device), chosen)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::device;

    #[test]
    fn weights_are_1_and_the_table_is_about_even() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gate = HashGateConfig::new(8000, 8).init(&mut rng).unwrap();
        let symbols: Vec<u32> = (0..8000).collect();
        let routing = gate.forward(&symbols, &device::named("flex").unwrap());
        assert_eq!(routing.weights.sum().into_scalar::<f32>(), 8000.0);
        // 1000 expected, standard deviation sqrt(8000 / 8 * 7 / 8) = 29.6: within 4 of them.
        assert!(routing.chosen.load().iter().all(|n| n.abs_diff(1000) < 119));
    }

    #[test]
    #[should_panic(expected = "HashGate: symbol 5 of 5")]
    fn an_unknown_symbol_panics() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gate = HashGateConfig::new(5, 2).init(&mut rng).unwrap();
        gate.forward(&[5], &device::named("flex").unwrap());
    }
}
