//! Devices by name.

use burn::tensor::Device;

use crate::{Error, Result};

/// Names of the devices of this build.
pub const AVAILABLE: &str = "flex";

/// The device of that name, with gradients.
///
/// Every float tensor made on it can be tracked; call [`burn::module::Module::valid`] on a model,
/// or [`burn::tensor::Tensor::inner`] on a tensor, where gradients are not needed.
///
/// # Errors
/// [`Error::Device`] if this build has no such device.
///
/// # Example
/// ```
/// let device = pressrun_nn::device::named("flex")?;
/// assert!(device.is_autodiff());
/// assert!(pressrun_nn::device::named("abacus").is_err());
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn named(name: &str) -> Result<Device> {
    match name {
        "flex" => Ok(Device::flex().autodiff()),
        _ => Err(Error::Device { device: name.into(), available: AVAILABLE }),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_unknown_device_lists_the_known_ones() {
        let error = super::named("abacus").unwrap_err().to_string();
        assert_eq!(error, "device `abacus` is not available in this build; available: flex");
    }
}
