//! Texts into vectors by the shipped model, and what it costs.
//!
//! ```text
//! cargo run -q -p pressrun-search --example embedding < papers.jsonl
//! ```
//!
//! Every line of standard input is a text.

use std::io::Read as _;
use std::time::Instant;

use pressrun_search::embed::{quantise, shipped, similarity, stems};

fn main() -> std::io::Result<()> {
    // # Reading the model
    //
    // It is part of the program, and read when first asked for.
    let start = Instant::now();
    let model = shipped();
    println!("{model:?} read in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    // # Comparing texts
    //
    // Vectors have length 1, so that their inner product is a cosine; stored ones have 8 bits.
    let stored = |text| quantise(&model.embed(text));
    let query = stored("experts chosen by a sparse gate");
    for text in ["Mixture-of-experts layers with top-k routing", "Depth from a single image"] {
        println!("{:>6.3}  {text}", similarity(&query, &stored(text)));
    }

    // # Many texts
    //
    // A bag takes words one by one, so that a text can be read once for several uses. Here the
    // words are kept, to tell what finding them costs from what the sums cost.
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let start = Instant::now();
    let texts: Vec<Vec<String>> = text
        .lines()
        .map(|line| {
            let mut words = Vec::new();
            stems(line, &mut |stem| words.push(stem.to_owned()));
            words
        })
        .collect();
    println!("{} texts into words in {:.0} ms", texts.len(), start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let mut bag = model.bag();
    let mut sum = 0;
    for words in &texts {
        words.iter().for_each(|word| bag.word(word));
        sum += quantise(&bag.finish()).iter().map(|x| i32::from(*x)).sum::<i32>();
    }
    let words: usize = texts.iter().map(Vec::len).sum();
    let time = start.elapsed().as_secs_f64() * 1e3;
    println!("{words} words into vectors in {time:.0} ms (sum of all numbers {sum})");
    Ok(())
}
