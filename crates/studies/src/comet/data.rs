//! A recommender's log with planted clusters, and two kinds of pictures under the same labels.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_lab::{DataUse, Result, Rng, Run, stream};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;

use crate::pictures;

/// Seed of the data and of its parts: every trial of every gate sees the same.
const DATA_SEED: u64 = 2306;

/// Users and items.
const COUNTS: (usize, usize) = (300, 200);

/// Clusters of users, and of items.
const CLUSTERS: usize = 4;

/// Features of a user and of an item.
pub const FACTORS: usize = 4;

/// Negatives for each positive.
const NEGATIVES: usize = 4;

/// Which data a setting trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The planted log.
    Ratings,
    /// Fashion-MNIST and digits.
    Pictures,
}

/// What a row shows the model.
#[derive(Debug, Clone)]
pub enum Inputs {
    /// User and item of each row, and the features of both.
    Pairs {
        /// Users.
        users: Vec<u32>,
        /// Items.
        items: Vec<u32>,
        /// `z_u` and `z_i`, one after the other.
        features: Vec<f32>,
    },
    /// Pixels, `[rows, width]`.
    Pixels(Vec<f32>),
}

/// What a row asks for.
#[derive(Debug, Clone)]
pub enum Targets {
    /// Watched or not, and the rating; of a pair that was not watched it counts for nothing.
    Watched {
        /// 1 if watched.
        watched: Vec<f32>,
        /// Rating.
        rating: Vec<f32>,
    },
    /// A class.
    Class(Vec<i64>),
}

/// Some rows of a data set.
#[derive(Debug, Clone)]
pub struct Part {
    /// What the model sees.
    pub inputs: Inputs,
    /// What is asked.
    pub targets: Targets,
    /// What hash routing goes by: the user, or the picture itself.
    pub symbols: Vec<u32>,
}

/// A data set in three parts.
#[derive(Debug, Clone)]
pub struct Data {
    /// Trained on.
    pub train: Part,
    /// Chosen by.
    pub validation: Part,
    /// Read once, at the end of each trial.
    pub test: Part,
    /// Different users and items, or pixels and 0.
    pub widths: (usize, usize),
    /// Different symbols.
    pub symbols: usize,
}

/// A batch as tensors.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and never in a list")]
pub enum Batch {
    /// Users, items and the features of both.
    Pairs(Tensor<1, Int>, Tensor<1, Int>, Tensor<2>),
    /// Pixels.
    Pixels(Tensor<2>),
}

impl Part {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    fn select(&self, rows: &[usize], width: usize) -> Self {
        let pick = |list: &[u32]| rows.iter().map(|r| list[*r]).collect::<Vec<_>>();
        let values = |list: &[f32]| rows.iter().map(|r| list[*r]).collect::<Vec<_>>();
        let blocks = |list: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|r| list[r * width..(r + 1) * width].iter().copied()).collect()
        };
        let inputs = match &self.inputs {
            Inputs::Pairs { users, items, features } => Inputs::Pairs {
                users: pick(users),
                items: pick(items),
                features: blocks(features, 2 * FACTORS),
            },
            Inputs::Pixels(pixels) => Inputs::Pixels(blocks(pixels, width)),
        };
        let targets = match &self.targets {
            Targets::Watched { watched, rating } => {
                Targets::Watched { watched: values(watched), rating: values(rating) }
            }
            Targets::Class(class) => Targets::Class(rows.iter().map(|r| class[*r]).collect()),
        };
        Self { inputs, targets, symbols: pick(&self.symbols) }
    }

    /// The inputs of these rows.
    pub fn batch(&self, rows: &[usize], width: usize, device: &Device) -> Batch {
        let n = rows.len();
        match self.select(rows, width).inputs {
            Inputs::Pairs { users, items, features } => {
                let ints = |list: Vec<u32>| {
                    let list: Vec<i64> = list.into_iter().map(i64::from).collect();
                    Tensor::from_data(TensorData::new(list, [n]), device)
                };
                let features = TensorData::new(features, [n, 2 * FACTORS]);
                Batch::Pairs(ints(users), ints(items), Tensor::from_data(features, device))
            }
            Inputs::Pixels(pixels) => {
                Batch::Pixels(Tensor::from_data(TensorData::new(pixels, [n, width]), device))
            }
        }
    }
}

impl Data {
    /// The data of a setting, `rows` rows in parts of 80, 10 and 10 %.
    ///
    /// # Errors
    /// If Fashion-MNIST cannot be read.
    pub fn load(run: &Run<'_>, source: Source, rows: usize) -> Result<Self> {
        let mut rng = stream(DATA_SEED, "data");
        let (all, widths, symbols, used) = match source {
            Source::Ratings => ratings(rows, &mut rng),
            Source::Pictures => mixture(run, rows, &mut rng)?,
        };
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.shuffle(&mut stream(DATA_SEED, "parts"));
        let tenth = order.len() / 10;
        let part = |rows: &[usize]| all.select(rows, widths.0);
        let (test, rest) = order.split_at(tenth);
        let (validation, train) = rest.split_at(tenth);
        for used in used {
            let parts = format!("{} train, {tenth} validation, {tenth} test", train.len());
            run.data(DataUse { part: format!("{parts}; {}", used.part), ..used });
        }
        Ok(Self {
            train: part(train),
            validation: part(validation),
            test: part(test),
            widths,
            symbols,
        })
    }
}

type Loaded = (Part, (usize, usize), usize, Vec<DataUse>);

/// The planted log.
///
/// ```text
/// watched(u, i) ~ Bernoulli(sigmoid(A[c(u), c(i)] + e))     A ~ N(0, 2^2), e ~ N(0, 0.5^2)
/// rating(u, i) = z_u^T B[c(u), c(i)] z_i / 4 + N(0, 0.3^2)  z ~ N(0, 1)^4, B ~ N(0, 1)^{4 x 4}
/// ```
///
/// 4 clusters of users and of items: what the features `z` of a pair mean depends on both, 16
/// different tasks in one. The model sees who it is and `z`, not the clusters. For each watched
/// pair there are 4 that were not.
fn ratings(rows: usize, rng: &mut Rng) -> Loaded {
    let (users, items) = COUNTS;
    let mut normal = |count: usize| -> Vec<f64> {
        (0..count).map(|_| rng.sample::<f64, _>(StandardNormal)).collect()
    };
    let (of_users, of_items) = (normal(users * FACTORS), normal(items * FACTORS));
    let (affinity, forms) = (normal(CLUSTERS * CLUSTERS), normal(CLUSTERS * CLUSTERS * 16));
    let mut pairs: Vec<(u32, u32)> =
        (0..users as u32).flat_map(|u| (0..items as u32).map(move |i| (u, i))).collect();
    pairs.shuffle(rng);
    let positives = rows / (NEGATIVES + 1);
    let (mut chosen, mut kept) = (Vec::with_capacity(rows), [0, 0]);
    for (user, item) in pairs {
        let cell = user as usize % CLUSTERS * CLUSTERS + item as usize % CLUSTERS;
        let noise = 0.5 * rng.sample::<f64, _>(StandardNormal);
        let p = 1.0 / (1.0 + (-(2.0 * affinity[cell] + noise)).exp());
        let watched = rng.random::<f64>() < p;
        let quota = if watched { positives } else { NEGATIVES * positives };
        if kept[usize::from(watched)] == quota {
            continue;
        }
        kept[usize::from(watched)] += 1;
        let (zu, zi) = (&of_users[user as usize * FACTORS..], &of_items[item as usize * FACTORS..]);
        let form = |a: usize, b: usize| zu[a] * forms[cell * 16 + a * FACTORS + b] * zi[b];
        let score: f64 = (0..16).map(|at| form(at / FACTORS, at % FACTORS)).sum();
        let rating = score / 4.0 + 0.3 * rng.sample::<f64, _>(StandardNormal);
        chosen.push((user, item, watched, rating as f32));
    }
    let list = |f: fn(&(u32, u32, bool, f32)) -> f32| chosen.iter().map(f).collect::<Vec<_>>();
    let targets = Targets::Watched {
        watched: list(|row| f32::from(u8::from(row.2))),
        rating: list(|row| row.3),
    };
    let (user_of, item_of): (Vec<u32>, Vec<u32>) = chosen.iter().map(|row| (row.0, row.1)).unzip();
    let z = |list: &[f64], at: u32| -> Vec<f32> {
        let at = at as usize * FACTORS;
        list[at..at + FACTORS].iter().map(|z| *z as f32).collect()
    };
    let row = |row: &(u32, u32, bool, f32)| [z(&of_users, row.0), z(&of_items, row.1)].concat();
    let features = chosen.iter().flat_map(row).collect();
    let inputs = Inputs::Pairs { users: user_of.clone(), items: item_of, features };
    let used = DataUse {
        name: "planted ratings".into(),
        origin: "generated".into(),
        identity: format!("{users} users, {items} items, {CLUSTERS} x {CLUSTERS} clusters"),
        part: format!("1 watched pair for {NEGATIVES} that were not"),
    };
    (Part { inputs, targets, symbols: user_of }, (users, items), users, vec![used])
}

/// Fashion-MNIST averaged to 14 x 14 and digits brought to 14 x 14: 7 to 3, labels 0 to 9 for both.
fn mixture(run: &Run<'_>, rows: usize, rng: &mut Rng) -> Result<Loaded> {
    let clothes = rows * 7 / 10;
    let (fashion, _, mut fashion_used) = pictures::fashion(run, clothes, 10)?;
    let (digits, mut digits_used) = pictures::handwritten();
    let (digits, _) = digits.split_stratified((rows - clothes).min(digits.len() - 10), rng);
    // 8 * 7 / 4 = 14: each new pixel is the mean of the old area that it covers.
    let parts = [fashion.pooled(2), digits.enlarged(7).pooled(4)];
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for images in &parts {
        pixels.extend_from_slice(images.pixels());
        classes.extend(images.labels().iter().map(|label| i64::from(*label)));
    }
    let count = u32::try_from(classes.len()).expect("thousands");
    let share = |n: usize| format!("of these {n} from here");
    (fashion_used.part, digits_used.part) = (share(parts[0].len()), share(parts[1].len()));
    let all = Part {
        inputs: Inputs::Pixels(pixels),
        targets: Targets::Class(classes),
        symbols: (0..count).collect(),
    };
    let width = parts[0].image_len();
    Ok((all, (width, 0), count as usize, vec![fashion_used, digits_used]))
}

/// Draws a number whose logarithm is uniform.
pub fn log_uniform(low: f64, high: f64, rng: &mut Rng) -> f64 {
    (low.ln() + (high.ln() - low.ln()) * rng.random::<f64>()).exp()
}

/// One entry of a list, all equally likely.
pub fn one_of<T: Copy>(list: &[T], rng: &mut Rng) -> T {
    list[rng.random_range(0..list.len())]
}
