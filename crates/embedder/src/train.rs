//! The training.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use pressrun_nn::embedding::{Bags, EmbeddingBag};
use pressrun_nn::loss::info_nce_pairs;
use pressrun_nn::optim::AdamConfig;
use pressrun_nn::schedule::Schedule;
use pressrun_search::embed::{DIMS, StaticModel};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::corpus::{Numbered, Paper, read};
use crate::lexicon::Rows;
use crate::views::{Shares, View, Views, pair};
use crate::{Error, Result};

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Words with a row of their own, at most.
    pub words: usize,
    /// Times that all papers are gone through.
    pub epochs: usize,
    /// Papers in a batch: each pair of views has the others as negatives.
    pub batch: usize,
    /// Adam's learning rate, at its height; it rises over `warm_up` steps and falls as a cosine.
    pub lr: f64,
    /// Steps until the learning rate is at its height.
    pub warm_up: usize,
    /// What cosines are divided by.
    pub temperature: f64,
    /// Standard deviation of the first numbers of a row whose word is in one of 400 papers.
    pub spread: f32,
    /// Power of the rarity (log of the inverse share of papers) that the others have in proportion:
    /// rare words weigh more from the beginning.
    pub power: f32,
    /// Papers with a word from which its vector moves at the full learning rate; that of a rarer one
    /// moves more slowly, by the root of the share.
    pub full_rate: usize,
    /// Kinds of views.
    pub shares: Shares,
    /// Share of words that are left out of the view that stands for a search, drawn anew each time.
    pub query_dropout: f64,
    /// The same of the view that stands for the paper: no word of it can be counted on, so that all
    /// are learnt.
    pub paper_dropout: f64,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            words: 27_000,
            epochs: 60,
            batch: 2048,
            lr: 0.015,
            warm_up: 50,
            temperature: 0.045,
            spread: 0.1,
            power: 1.5,
            full_rate: 5_000,
            shares: Shares::default(),
            query_dropout: 0.1,
            paper_dropout: 0.3,
            seed: 1,
        }
    }
}

impl Config {
    fn check(&self) -> Result<()> {
        let unless = |ok, name, value: String, expected| {
            if ok { Ok(()) } else { Err(Error::Setting { name, value, expected }) }
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        unless(self.words > 0, "words", self.words.to_string(), "at least 1")?;
        unless(self.full_rate > 0, "full_rate", self.full_rate.to_string(), "at least 1")?;
        unless(self.batch > 1, "batch", self.batch.to_string(), "at least 2")?;
        unless(self.epochs > 0, "epochs", self.epochs.to_string(), "at least 1")?;
        unless(positive(self.lr), "lr", self.lr.to_string(), "more than 0")?;
        let temperature = self.temperature;
        unless(positive(temperature), "temperature", temperature.to_string(), "more than 0")?;
        let spread = f64::from(self.spread);
        unless(positive(spread), "spread", spread.to_string(), "more than 0")?;
        let share = |x: f64| (0.0..1.0).contains(&x);
        let (query, paper) = (self.query_dropout, self.paper_dropout);
        unless(share(query), "query_dropout", query.to_string(), "0 or more, and less than 1")?;
        unless(share(paper), "paper_dropout", paper.to_string(), "0 or more, and less than 1")?;
        let Shares { title, sentences, passage, keywords } = self.shares;
        let right = [title, sentences, passage, keywords].iter().all(|share| *share >= 0.0);
        let right = right && positive(self.shares.sum());
        unless(right, "shares", format!("{:?}", self.shares), "0 or more, and one more than 0")
    }
}

/// How far a training is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Loss of the last step.
    pub loss: f64,
}

/// What came out of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model.
    pub model: StaticModel,
    /// Its rows in single precision, as they were before rounding.
    pub rows: Vec<f32>,
    /// Mean loss of each epoch.
    pub losses: Vec<f64>,
    /// Papers that were trained on.
    pub papers: usize,
    /// Different words in them.
    pub words: usize,
    /// Steps.
    pub steps: usize,
}

/// Trains a model on papers; those that [are held out](pressrun_search::embed::held_out), or lack
/// title or abstract, are left out.
///
/// ```text
/// x_b = sum_i w_bi v[word_i]       w: root of how often a word occurs in the view
/// l   = InfoNCE of the two views of each paper among those of its batch, both ways
/// ```
///
/// The result is the same for any number of threads.
///
/// # Errors
/// For a setting out of its range, too few papers, and a loss that is no number.
pub fn train(
    papers: &[Paper],
    config: &Config,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained> {
    config.check()?;
    let (papers, lexicon) = read(papers);
    if papers.len() < config.batch {
        return Err(Error::Papers { found: papers.len(), expected: config.batch });
    }
    let rows = lexicon.rows(config.words);
    let device = pressrun_nn::device::named("flex")?;
    let fitted = fit(&papers, &rows, config, &device, progress)?;
    Ok(Trained {
        model: StaticModel::quantised(rows.vocabulary, &fitted.rows, fitted.unknown),
        rows: fitted.rows,
        losses: fitted.losses,
        papers: papers.len(),
        words: lexicon.len(),
        steps: config.epochs * (papers.len() / config.batch),
    })
}

/// The numbers of a table, and the loss on the way to them.
struct Fitted {
    rows: Vec<f32>,
    unknown: f32,
    losses: Vec<f64>,
}

fn fit(
    papers: &[Numbered],
    rows: &Rows,
    config: &Config,
    device: &Device,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fitted> {
    let &Config { batch, epochs, lr, warm_up, temperature, .. } = config;
    let batches = papers.len() / batch;
    let steps = epochs * batches;
    let fall = Schedule::Cosine { from: lr, to: lr * 0.02, steps };
    let schedule = Schedule::WarmUp { steps: warm_up.min(steps), then: Box::new(fall) };
    let mut words = Words::new(rows, config, device);
    let mut adam = AdamConfig::new().with_rows(true).init()?;
    let mut order: Vec<&Numbered> = papers.iter().collect();
    let mut shuffle = ChaCha8Rng::seed_from_u64(config.seed);
    let mut losses = Vec::with_capacity(epochs);
    for epoch in 0..epochs {
        order.shuffle(&mut shuffle);
        let mut sum = 0.0;
        for (i, papers) in order.chunks_exact(batch).enumerate() {
            let step = epoch * batches + i;
            let y = words.forward(&views(papers, rows, config, step));
            let (a, b) = (y.clone().narrow(0, 0, batch), y.narrow(0, batch, batch));
            let loss = info_nce_pairs(a, b, temperature);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            if !value.is_finite() {
                return Err(Error::Diverged { step, lr });
            }
            words = adam.step(schedule.at(step), words, loss.backward());
            sum += value;
            progress(Progress { step: step + 1, steps, loss: value });
        }
        losses.push(sum / batches as f64);
    }
    let unknown = words.unknown.val().inner().into_scalar();
    Ok(Fitted { rows: words.vectors(), unknown, losses })
}

/// What is trained.
#[derive(Module, Debug)]
struct Words {
    /// The vectors of words are these rows, each times its rate.
    table: EmbeddingBag,
    #[module(skip)]
    rates: Vec<f32>,
    /// The size of words without a row, `[1]`.
    unknown: Param<Tensor<1>>,
}

impl Words {
    fn new(rows: &Rows, config: &Config, device: &Device) -> Self {
        let unknown = spread(config, rows.rarest());
        Self {
            table: EmbeddingBag { weight: first_rows(rows, config, device) },
            rates: rates(rows, config),
            unknown: Param::from_tensor(Tensor::from_floats([unknown], device)),
        }
    }

    /// The vectors of words with rows, one after the other.
    fn vectors(&self) -> Vec<f32> {
        let rows = self.table.weight.val().inner();
        let mut values: Vec<f32> = rows.try_into_vec_as().expect("single precision");
        for (row, rate) in values.chunks_exact_mut(DIMS).zip(&self.rates) {
            row.iter_mut().for_each(|x| *x *= rate);
        }
        values
    }

    /// The sums of views, `[views, DIMS]`.
    fn forward(&self, views: &[View]) -> Tensor<2> {
        let mut bags = Bags::default();
        for view in views {
            let weight = |(row, weight): &(u32, f32)| (*row, *weight * self.rates[*row as usize]);
            bags.push(view.rows.iter().map(weight));
        }
        let signs = views.iter().flat_map(|view| {
            let mut sum = [0.0; DIMS];
            view.unknown.iter().for_each(|(word, weight)| word.add(*weight, &mut sum));
            sum
        });
        let signs = TensorData::new(signs.collect(), [views.len(), DIMS]);
        let signs = Tensor::<2>::from_data(signs, &self.unknown.device());
        self.table.forward(&Arc::new(bags)) + signs * self.unknown.val().unsqueeze()
    }
}

/// The standard deviation of the first numbers of a word this rare.
fn spread(config: &Config, rarity: f32) -> f32 {
    /// log(400), about the rarity of the words that abstracts are told apart by.
    const USUAL: f32 = 6.0;
    config.spread * (rarity.max(0.1) / USUAL).powf(config.power)
}

/// Random rows, longer ones for rarer words.
fn first_rows(rows: &Rows, config: &Config, device: &Device) -> Param<Tensor<2>> {
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    rng.set_stream(1);
    // Sums of 8 uniform numbers are near enough to normal ones, and have the same bits everywhere.
    let mut normal = || {
        let sum: f32 = (0..8).map(|_| rng.random::<f32>()).sum();
        (sum - 4.0) * 1.224_744_9
    };
    let mut values = Vec::with_capacity(rows.vocabulary.len() * DIMS);
    for ((_, rarity), rate) in rows.known().into_iter().zip(rates(rows, config)) {
        let spread = spread(config, rarity) / rate;
        values.extend((0..DIMS).map(|_| spread * normal()));
    }
    let size = [rows.vocabulary.len(), DIMS];
    Param::from_tensor(Tensor::from_data(TensorData::new(values, size), device))
}

/// By how much the vector of each word moves when its row moves by 1.
///
/// Adam moves each row that a step uses by the learning rate. A word of a few papers would soon say
/// nothing but which papers these are.
fn rates(rows: &Rows, config: &Config) -> Vec<f32> {
    let full = config.full_rate as f32;
    rows.known().into_iter().map(|(papers, _)| (papers as f32 / full).min(1.0).sqrt()).collect()
}

/// The views that stand for searches, of all papers; then those that stand for the papers.
fn views(papers: &[&Numbered], rows: &Rows, config: &Config, step: usize) -> Vec<View> {
    let dropout = (config.query_dropout, config.paper_dropout);
    let how = Views { rows, shares: config.shares, dropout };
    let pairs = papers.par_iter().enumerate().map(|(i, paper)| {
        // A stream for each, so that they do not depend on who takes them.
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(((step as u64 + 1) << 24) + i as u64);
        pair(paper, &how, &mut rng)
    });
    let (mut first, second): (Vec<View>, Vec<View>) = pairs.unzip();
    first.extend(second);
    first
}

#[cfg(test)]
mod tests {
    use pressrun_search::embed::{Vector, held_out};

    use super::*;

    /// Papers on 40 topics: the words of title and abstract differ, but belong to the same topic.
    /// With `mixed`, the abstract is on another topic drawn at random.
    fn papers(mixed: bool) -> Vec<Paper> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut paper = |i: usize| {
            let mut word =
                |topic: usize, kind: &str| format!("{kind}{topic}n{}", rng.random_range(0..3));
            let topic = i % 40;
            let title = format!("The {} of {} x{i}", word(topic, "a"), word(topic, "b"));
            let other = if mixed { rng.random_range(0..40) } else { topic };
            let mut word = |kind| format!("{kind}{other}n{}", rng.random_range(0..3));
            let summary = format!(
                "The {} of the {}. We have a {}. It is {}. A {} is a {}.",
                word("c"),
                word("d"),
                word("c"),
                word("d"),
                word("c"),
                word("d")
            );
            Paper { title, summary }
        };
        (0..1200).map(&mut paper).collect()
    }

    fn small() -> Config {
        let shares = Shares { title: 1.0, sentences: 0.0, passage: 0.0, keywords: 0.0 };
        let config = Config { words: 800, epochs: 6, batch: 64, warm_up: 5, ..Config::default() };
        Config { shares, full_rate: 10, ..config }
    }

    /// In how many of the held-out papers the title is nearer to its own abstract than to those of
    /// half of the other topics.
    fn found(model: &StaticModel, papers: &[Paper]) -> f64 {
        let dot = |a: &Vector, b: &Vector| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let clean = self::papers(false);
        let abstracts: Vec<Vector> =
            clean[..40].iter().map(|paper| model.embed(&paper.summary)).collect();
        let tests: Vec<usize> = (40..papers.len()).filter(|i| held_out(&clean[*i].title)).collect();
        let right = tests.iter().filter(|i| {
            let query = model.embed(&clean[**i].title);
            let own = dot(&query, &abstracts[**i % 40]);
            abstracts.iter().filter(|other| dot(&query, other) > own).count() < 4
        });
        right.count() as f64 / tests.len() as f64
    }

    #[test]
    fn it_learns_which_words_belong_together_and_nothing_from_mixed_pairs() {
        let (good, mixed) = (papers(false), papers(true));
        let learnt = train(&good, &small(), &mut |_| {}).unwrap();
        let control = train(&mixed, &small(), &mut |_| {}).unwrap();
        assert!(learnt.losses[5] < 0.6 * learnt.losses[0], "{:?}", learnt.losses);
        let (a, b) = (found(&learnt.model, &good), found(&control.model, &good));
        // 4 of 40 at random.
        assert!(a > 0.9, "{a}");
        assert!(b < 0.3, "{b}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes() {
        let papers = papers(false);
        let config = Config { epochs: 1, shares: Shares::default(), ..small() };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let trained = pool.install(|| train(&papers, &config, &mut |_| {})).unwrap();
            (trained.model.write().unwrap(), trained.losses)
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
        let other = train(&papers, &Config { seed: 2, ..config.clone() }, &mut |_| {}).unwrap();
        assert_ne!(other.model.write().unwrap(), one.0);
    }

    #[test]
    fn what_cannot_be_trained_is_told() {
        let error = |config| {
            let trained = train(&papers(false)[..50], &config, &mut |_| {});
            trained.expect_err("it cannot be trained").to_string()
        };
        let few = error(small());
        assert!(few.ends_with("papers to train on; expected at least `batch`, 64"), "{few}");
        assert_eq!(
            error(Config { temperature: 0.0, ..small() }),
            "`temperature` is `0`; expected more than 0"
        );
        assert!(error(Config { batch: 1, ..small() }).starts_with("`batch` is `1`"));
        let none = Shares { title: 0.0, sentences: 0.0, passage: 0.0, keywords: 0.0 };
        assert!(error(Config { shares: none, ..small() }).contains("expected 0 or more"));
        let wild = Config { lr: 1e300, batch: 20, epochs: 3, ..small() };
        assert!(error(wild).starts_with("the loss of step "));
    }
}
