//! A sentence-transformer from a local folder, in place of the embedder that is shipped.
//!
//! What is read are the files of a BERT model as they are published (`config.json`, `vocab.txt`,
//! `model.safetensors`): all-MiniLM-L6-v2 and its relatives. The encoder runs on the kernels that
//! the studies run on. `pressrun index --embedder FOLDER` tells what it takes (67 ms of a core for a
//! paper by all-MiniLM-L6-v2): for thousands of papers, not for a hundred thousand.

mod encoder;
mod weights;
mod wordpiece;

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use self::encoder::Encoder;
use self::wordpiece::WordPieces;
use crate::embed::Embedder;

/// Word pieces of a text that are read, the two marks included, as the models are trained.
const MAX_PIECES: usize = 256;

/// A model of the BERT family whose vectors are the mean over its word pieces, of length 1.
///
/// # Source
/// Devlin et al., arXiv:1810.04805; Reimers and Gurevych, arXiv:1908.10084.
#[derive(Debug)]
pub struct SentenceTransformer {
    pieces: WordPieces,
    encoder: Encoder,
    identity: String,
}

/// Why a folder is no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformerError {
    /// A file cannot be read.
    #[error("`{file}`: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file does not say what it should.
    #[error("`{file}`: {problem}; expected {expected}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        expected: String,
    },
}

/// Sizes of the model, as `config.json` has them.
#[derive(Debug, Clone, Deserialize)]
struct Shape {
    model_type: String,
    hidden_act: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    layer_norm_eps: f32,
}

impl SentenceTransformer {
    /// Reads a model from a folder.
    ///
    /// # Errors
    /// [`TransformerError`] if a file is missing, or is not that of a BERT model.
    pub fn open(folder: &Path) -> Result<Self, TransformerError> {
        let read = |name: &str| {
            let path = folder.join(name);
            let file = path.display().to_string();
            std::fs::read(path).map_err(|source| TransformerError::Io { file, source })
        };
        let invalid = |name: &str, problem: String, expected: &str| TransformerError::Invalid {
            file: folder.join(name).display().to_string(),
            problem,
            expected: expected.to_owned(),
        };
        let shape: Shape = serde_json::from_slice(&read("config.json")?)
            .map_err(|e| invalid("config.json", e.to_string(), "the sizes of a BERT model"))?;
        if shape.model_type != "bert" || shape.hidden_act != "gelu" {
            let problem = format!("a model `{}` with `{}`", shape.model_type, shape.hidden_act);
            return Err(invalid("config.json", problem, "`bert` with `gelu`"));
        }
        let heads = shape.num_attention_heads;
        if heads == 0
            || !shape.hidden_size.is_multiple_of(heads)
            || shape.max_position_embeddings < 2
        {
            let problem = format!("{} numbers for {heads} heads", shape.hidden_size);
            return Err(invalid("config.json", problem, "a multiple of the heads"));
        }
        let vocabulary = read("vocab.txt")?;
        let vocabulary = String::from_utf8(vocabulary)
            .map_err(|e| invalid("vocab.txt", e.to_string(), "UTF-8, one word piece a line"))?;
        let pieces = WordPieces::read(&vocabulary)
            .map_err(|problem| invalid("vocab.txt", problem, "the vocabulary of a BERT model"))?;
        if pieces.len() != shape.vocab_size {
            let problem = format!("{} word pieces", pieces.len());
            let expected = format!("{} as in config.json", shape.vocab_size);
            return Err(invalid("vocab.txt", problem, &expected));
        }
        let bytes = read("model.safetensors")?;
        let digest = Sha256::digest(&bytes);
        let mark: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let encoder = weights::encoder(&bytes, shape).map_err(|problem| {
            invalid("model.safetensors", problem, "the weights of a BERT model")
        })?;
        Ok(Self { pieces, encoder, identity: format!("bert-{mark}") })
    }
}

impl Embedder for SentenceTransformer {
    fn dims(&self) -> usize {
        self.encoder.width()
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn embed(&self, texts: &[&str]) -> Vec<f32> {
        let most = MAX_PIECES.min(self.encoder.longest());
        let one = |text: &&str| self.encoder.vector(&self.pieces.of(text, most));
        texts.iter().flat_map(one).collect()
    }
}

#[cfg(test)]
mod tests;
