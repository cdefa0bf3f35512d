//! The weights of a BERT model out of a safetensors file.

use safetensors::{Dtype, SafeTensors};

use super::Shape;
use super::encoder::{Affine, Encoder, Layer, Norm};

/// Reads all weights; the error says which one is not as the sizes want it.
pub(super) fn encoder(bytes: &[u8], shape: Shape) -> Result<Encoder, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let reader = Reader { file };
    let (d, wide) = (shape.hidden_size, shape.intermediate_size);
    let norm = |name: String| {
        let (gamma, beta) = (format!("{name}.weight"), format!("{name}.bias"));
        let [gamma, beta] = [reader.numbers(&gamma, &[d])?, reader.numbers(&beta, &[d])?];
        Ok::<_, String>(Norm { gamma, beta, eps: shape.layer_norm_eps })
    };
    let layer = |i: usize| {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok::<_, String>(Layer {
            qkv: reader.affine(&qkv, d, d)?,
            out: reader.affine(&[name("attention.output.dense")], d, d)?,
            after_attention: norm(name("attention.output.LayerNorm"))?,
            up: reader.affine(&[name("intermediate.dense")], d, wide)?,
            down: reader.affine(&[name("output.dense")], wide, d)?,
            after_mlp: norm(name("output.LayerNorm"))?,
        })
    };
    let table = |part: &str, rows| {
        reader.numbers(&format!("embeddings.{part}_embeddings.weight"), &[rows, d])
    };
    Ok(Encoder {
        width: d,
        heads: shape.num_attention_heads,
        words: table("word", shape.vocab_size)?,
        positions: table("position", shape.max_position_embeddings)?,
        // A text alone is the first of the two that a model can tell apart.
        kind: table("token_type", 2)?[..d].to_vec(),
        norm: norm("embeddings.LayerNorm".into())?,
        layers: (0..shape.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
    })
}

struct Reader<'a> {
    file: SafeTensors<'a>,
}

impl Reader<'_> {
    /// The numbers of a tensor, which some models keep below `bert.`.
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let found = self.file.tensor(name).or_else(|_| self.file.tensor(&format!("bert.{name}")));
        let found = found.map_err(|_| format!("there is no `{name}`"))?;
        if found.dtype() != Dtype::F32 || found.shape() != shape {
            let (dtype, own) = (found.dtype(), found.shape());
            return Err(format!("`{name}` is {dtype:?} {own:?}, not F32 {shape:?}"));
        }
        let chunks = found.data().as_chunks::<4>().0;
        Ok(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    }

    /// Affine maps side by side: their outputs one after the other. PyTorch keeps weights as
    /// `[outputs, inputs]`; the kernels take `[inputs, outputs]`.
    fn affine(&self, names: &[String], inputs: usize, outputs: usize) -> Result<Affine, String> {
        let all = names.len() * outputs;
        let (mut weight, mut bias) = (vec![0.0; inputs * all], Vec::with_capacity(all));
        for (part, name) in names.iter().enumerate() {
            let own = self.numbers(&format!("{name}.weight"), &[outputs, inputs])?;
            for (o, row) in own.chunks_exact(inputs).enumerate() {
                for (i, value) in row.iter().enumerate() {
                    weight[i * all + part * outputs + o] = *value;
                }
            }
            bias.extend(self.numbers(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(Affine { weight, bias, inputs, outputs: all })
    }
}
