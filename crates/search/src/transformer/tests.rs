//! A small model with the layout of a published one.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

use super::*;

const VOCABULARY: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "gate", "##s", "depth", "."];

/// Weights that are not symmetric in anything, the same for every run.
fn numbers(name: &str, count: usize) -> Vec<f32> {
    let seed = name.bytes().fold(7_u32, |seed, byte| seed.wrapping_mul(31) + u32::from(byte));
    (0..count as u32)
        .map(|i| ((seed.wrapping_add(i * 977) % 1000) as f32 / 500.0 - 1.0) * 0.3)
        .collect()
}

/// Names and shapes of a model of two layers, width 4 and two heads.
fn tensors() -> BTreeMap<String, Vec<usize>> {
    let mut all: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut add = |name: String, shape: &[usize]| _ = all.insert(name, shape.to_vec());
    add("embeddings.word_embeddings.weight".into(), &[8, 4]);
    add("embeddings.position_embeddings.weight".into(), &[16, 4]);
    add("embeddings.token_type_embeddings.weight".into(), &[2, 4]);
    add("embeddings.LayerNorm.weight".into(), &[4]);
    add("embeddings.LayerNorm.bias".into(), &[4]);
    for i in 0..2 {
        for (part, outputs, inputs) in [
            ("attention.self.query", 4, 4),
            ("attention.self.key", 4, 4),
            ("attention.self.value", 4, 4),
            ("attention.output.dense", 4, 4),
            ("intermediate.dense", 6, 4),
            ("output.dense", 4, 6),
        ] {
            add(format!("encoder.layer.{i}.{part}.weight"), &[outputs, inputs]);
            add(format!("encoder.layer.{i}.{part}.bias"), &[outputs]);
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(format!("encoder.layer.{i}.{part}.weight"), &[4]);
            add(format!("encoder.layer.{i}.{part}.bias"), &[4]);
        }
    }
    all
}

fn write(folder: &Path, without: &str) {
    let all: Vec<(String, Vec<usize>, Vec<u8>)> = tensors()
        .into_iter()
        .filter(|(name, _)| name != without)
        .map(|(name, shape)| {
            let values = numbers(&name, shape.iter().product());
            (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let views = all.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(folder.join("model.safetensors"), serialize(views, None).unwrap()).unwrap();
    std::fs::write(folder.join("vocab.txt"), VOCABULARY.join("\n")).unwrap();
    let config = serde_json::json!({
        "model_type": "bert", "hidden_act": "gelu", "hidden_size": 4, "intermediate_size": 6,
        "num_attention_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 16,
        "vocab_size": 8, "layer_norm_eps": 1e-12,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// The model as its equations stand, in double precision and plain loops.
fn plainly(pieces: &[usize]) -> Vec<f64> {
    let tensors = tensors();
    let get = |name: String| -> Vec<f64> {
        let count = tensors[&name].iter().product();
        numbers(&name, count).into_iter().map(f64::from).collect()
    };
    let affine = |x: &[f64], name: String| -> Vec<f64> {
        let (w, b) = (get(format!("{name}.weight")), get(format!("{name}.bias")));
        let row = |o: usize| &w[o * x.len()..][..x.len()];
        let dot = |o: usize| x.iter().zip(row(o)).map(|(x, w)| x * w).sum::<f64>() + b[o];
        (0..b.len()).map(dot).collect()
    };
    let norm = |x: &[f64], name: String| -> Vec<f64> {
        let (g, b) = (get(format!("{name}.weight")), get(format!("{name}.bias")));
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        x.iter()
            .zip(g.iter().zip(&b))
            .map(|(x, (g, b))| g * (x - mean) / (variance + 1e-12).sqrt() + b)
            .collect()
    };
    let gelu = |x: f64| 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt()));
    let plus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
    let (words, places, kinds) = (
        get("embeddings.word_embeddings.weight".into()),
        get("embeddings.position_embeddings.weight".into()),
        get("embeddings.token_type_embeddings.weight".into()),
    );
    let mut rows: Vec<Vec<f64>> = pieces
        .iter()
        .enumerate()
        .map(|(at, piece)| {
            let sum = plus(&plus(&words[piece * 4..][..4], &places[at * 4..][..4]), &kinds[..4]);
            norm(&sum, "embeddings.LayerNorm".into())
        })
        .collect();
    for i in 0..2 {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        let [q, k, v] = ["query", "key", "value"].map(|part| {
            rows.iter()
                .map(|x| affine(x, name(&format!("attention.self.{part}"))))
                .collect::<Vec<_>>()
        });
        rows = (0..rows.len())
            .map(|t| {
                let mut seen = vec![0.0; 4];
                for head in 0..2 {
                    let at = head * 2..head * 2 + 2;
                    let score = |s: usize| {
                        let dot: f64 = at.clone().map(|j| q[t][j] * k[s][j]).sum();
                        (dot / 2.0_f64.sqrt()).exp()
                    };
                    let total: f64 = (0..rows.len()).map(score).sum();
                    for j in at.clone() {
                        seen[j] = (0..rows.len()).map(|s| score(s) / total * v[s][j]).sum();
                    }
                }
                let h = plus(&rows[t], &affine(&seen, name("attention.output.dense")));
                let h = norm(&h, name("attention.output.LayerNorm"));
                let wide: Vec<f64> =
                    affine(&h, name("intermediate.dense")).into_iter().map(gelu).collect();
                let y = plus(&h, &affine(&wide, name("output.dense")));
                norm(&y, name("output.LayerNorm"))
            })
            .collect();
    }
    let mean: Vec<f64> = (0..4).map(|j| rows.iter().map(|row| row[j]).sum()).collect();
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    mean.into_iter().map(|x| x / length).collect()
}

/// Abramowitz and Stegun 7.1.26, to 1.5e-7.
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let poly = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    (1.0 - poly * (-x * x).exp()).copysign(x)
}

#[test]
fn vectors_are_those_of_the_equations() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "");
    let model = SentenceTransformer::open(folder.path()).unwrap();
    assert_eq!(model.dims(), 4);
    for (text, pieces) in [("Gates, depth.", vec![2, 4, 5, 1, 6, 7, 3]), ("", vec![2, 3])] {
        let found = model.embed(&[text]);
        for (found, expected) in found.iter().zip(plainly(&pieces)) {
            assert!((f64::from(*found) - expected).abs() < 2e-5, "{text}: {found} {expected}");
        }
    }
    // Longer texts are cut at the places that the model has.
    assert_eq!(model.embed(&[&"depth ".repeat(14)]), model.embed(&[&"depth ".repeat(99)]));
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |text: &str| {
        let error = SentenceTransformer::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    error("config.json`: ");
    write(folder.path(), "encoder.layer.1.output.dense.bias");
    error(
        "model.safetensors`: there is no `encoder.layer.1.output.dense.bias`; expected the weights",
    );
    std::fs::write(folder.path().join("vocab.txt"), "[UNK]\n[CLS]\n[SEP]").unwrap();
    error("vocab.txt`: 3 word pieces; expected 8 as in config.json");
    std::fs::write(folder.path().join("config.json"), "{}").unwrap();
    error("config.json`: missing field");
}
