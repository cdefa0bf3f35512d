//! The text: training, validation and test documents, and windows of them as tensors.

use burn::tensor::{Device, Int, Tensor};
use pressrun_data::text::CharCorpus;
use pressrun_lab::{DataUse, Error, Result, Rng, stream};

use super::model::Reader;

/// Seed of the split: the same documents are held out under every seed of a run.
const SPLIT_SEED: u64 = 2112;

/// Share of the documents that is held out for validation, and again for the test.
const HELD_OUT: f64 = 0.12;

/// The three parts of the text.
#[derive(Debug)]
pub struct Text {
    /// Trained on.
    pub train: CharCorpus,
    /// Decides the learning rate and gives the curves.
    pub validation: CharCorpus,
    /// Looked at once, at the end of a training.
    pub test: CharCorpus,
    identity: String,
}

impl Text {
    /// Splits these documents.
    ///
    /// # Errors
    /// If there are fewer than 3.
    pub fn new(documents: &[String]) -> Result<Self> {
        let texts: Vec<&str> = documents.iter().map(String::as_str).collect();
        let all = CharCorpus::new(&texts);
        if all.documents() < 3 {
            return Err(Error::Data(format!("`{}` documents: at least 3 needed", all.documents())));
        }
        let held_out = ((all.documents() as f64 * HELD_OUT).round() as usize).max(1);
        let mut rng = stream(SPLIT_SEED, "split");
        let (rest, test) = all.split(held_out, &mut rng);
        let (train, validation) = rest.split(held_out, &mut rng);
        let identity = identity(&all);
        Ok(Self { train, validation, test, identity })
    }

    /// What a record says about it.
    pub fn data_use(&self) -> DataUse {
        let part = |name, corpus: &CharCorpus| {
            format!("{name} {} ({} characters)", corpus.documents(), corpus.ids().len())
        };
        DataUse {
            name: pressrun_data::text::NAME.into(),
            origin: "embedded".into(),
            identity: self.identity.clone(),
            part: [
                part("train", &self.train),
                part("validation", &self.validation),
                part("test", &self.test),
            ]
            .join(", "),
        }
    }
}

/// FNV-1a over the ids, 64 bits: tells whether two runs read the same text.
fn identity(corpus: &CharCorpus) -> String {
    let hash = corpus.ids().iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &id| {
        (hash ^ u64::from(id)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{} documents, FNV-1a {hash:016x}", corpus.documents())
}

/// Windows of text as a model reads them.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[windows, context]`.
    pub inputs: Tensor<2, Int>,
    /// What follows each token of the last layer, `[tokens]`.
    pub targets: Tensor<1, Int>,
    /// The character that each token of the last layer stands on, for the hash gate.
    pub symbols: Vec<u32>,
}

impl Batch {
    /// From windows of `context + 1` characters, one after another.
    pub fn new(windows: &[u32], context: usize, reader: Reader, device: &Device) -> Self {
        let rows = || windows.chunks_exact(context + 1);
        let first = match reader {
            // Only the last position of a window predicts.
            Reader::Window { .. } => context - 1,
            Reader::Transformer { .. } => 0,
        };
        let inputs: Vec<i64> =
            rows().flat_map(|row| row[..context].iter().map(|&id| i64::from(id))).collect();
        let targets: Vec<i64> =
            rows().flat_map(|row| row[first + 1..].iter().map(|&id| i64::from(id))).collect();
        let symbols = rows().flat_map(|row| row[first..context].iter().copied()).collect();
        let inputs = Tensor::<1, Int>::from_ints(inputs.as_slice(), device);
        Self {
            inputs: inputs.reshape([windows.len() / (context + 1), context]),
            targets: Tensor::from_ints(targets.as_slice(), device),
            symbols,
        }
    }

    /// A random batch of training windows.
    ///
    /// # Errors
    /// If the text is shorter than a window.
    pub fn draw(
        corpus: &CharCorpus,
        (context, windows): (usize, usize),
        reader: Reader,
        device: &Device,
        rng: &mut Rng,
    ) -> Result<Self> {
        let ids = corpus.windows(context, windows, rng);
        let ids = ids.map_err(|e| Error::Data(e.to_string()))?;
        Ok(Self::new(&ids, context, reader, device))
    }
}

/// Batches of at most `windows` windows that predict evenly spread characters of `corpus`, about
/// `characters` of them (or all, each once).
pub fn cover(
    corpus: &CharCorpus,
    (context, windows): (usize, usize),
    characters: usize,
    reader: Reader,
    device: &Device,
) -> Vec<Batch> {
    let step = match reader {
        Reader::Window { .. } => 1,
        Reader::Transformer { .. } => context,
    };
    let starts: Vec<usize> =
        (0..corpus.ids().len().saturating_sub(context)).step_by(step).collect();
    let wanted = (characters / step).clamp(1, starts.len().max(1));
    let mut ids = Vec::with_capacity(wanted * (context + 1));
    for index in 0..wanted.min(starts.len()) {
        let start = starts[index * starts.len() / wanted];
        ids.extend_from_slice(&corpus.ids()[start..start + context + 1]);
    }
    let chunk = windows * (context + 1);
    ids.chunks(chunk).map(|ids| Batch::new(ids, context, reader, device)).collect()
}
