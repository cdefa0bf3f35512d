//! The pictures that studies train on, with what a record says about them.

use pressrun_data::{Fashion, Images, Sources, card, digits};
use pressrun_lab::{DataUse, Error, Result, Run};

/// The handwritten digits, 8 x 8, and their card; `part` is left for the study to fill in.
pub(crate) fn handwritten() -> (Images, DataUse) {
    let sha256 = card::card("digits").and_then(|card| card.embedded_sha256());
    let used = DataUse {
        name: "digits".into(),
        origin: "embedded".into(),
        identity: sha256.unwrap_or_default(),
        part: String::new(),
    };
    (digits(), used)
}

/// The first `train` and `test` pictures of Fashion-MNIST that hold every class equally often:
/// training part, test part, and their card; `part` is left for the study to fill in.
///
/// # Errors
/// If the files that were found cannot be read.
pub(crate) fn fashion(
    run: &Run<'_>,
    train: usize,
    test: usize,
) -> Result<(Images, Images, DataUse)> {
    let sources = Sources::everywhere(run.data_dir());
    let found = Fashion::load_balanced(&sources, train, test);
    let found = found.map_err(|e| Error::Data(e.to_string()))?;
    let used = DataUse {
        name: found.provenance.card.clone(),
        origin: found.provenance.origin.to_string(),
        identity: found.provenance.sha256,
        part: String::new(),
    };
    Ok((found.train, found.test, used))
}
