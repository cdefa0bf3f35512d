//! Search sessions with planted personal interactions.
//!
//! # Ground truth
//! An item has a category, a price level, a brand and a quality; its attributes
//! `x = (price, appeal of the brand, quality)` have mean 0 and variance 1. A user belongs to one of
//! some groups, and values an item by
//!
//! ```text
//! u(x) = theta_g . x + x^T Q_g x + t . x
//! ```
//!
//! `theta_g` is the group's linear taste; `Q_g` has few entries, all off the diagonal, at other
//! places in each group; `t` is the user's own. The number of behaviours M has
//! `P(M = m) ~ m^-1.2`, m = 1 .. 30; the behaviours are drawn without replacement from the softmax
//! of `u` over all items. A session shows items of one category that the user has not met before,
//! in the history or in another session, and the user clicks one or two of them by the softmax of
//! `u`. Group and taste are nowhere among the inputs.
//!
//! No score ranks better in expectation than `u` itself: it is the Bayes reference.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pressrun_data::metric;
use pressrun_lab::{DataUse, Error, Result, Rng, stream};
use rand::RngExt;
use rand::seq::index;
use rand_distr::StandardNormal;

/// Numbers of an item's quality.
pub const QUALITY: usize = 4;
/// Attributes of the utility: price, brand, quality.
const ATTRIBUTES: usize = 2 + QUALITY;
/// Levels of the price.
pub const PRICES: usize = 5;
/// Brands.
pub const BRANDS: usize = 16;
/// Most behaviours of a user.
const LONGEST: usize = 30;
/// Most behaviours of a user of the long tail; fixed before any result.
const TAIL: usize = 3;
/// A head user has more behaviours than this.
const HEAD: usize = 10;

/// Sizes and strengths of the planted market.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketConfig {
    /// Users.
    pub users: usize,
    /// Items.
    pub items: usize,
    /// Categories, which are also the queries.
    pub categories: usize,
    /// Latent groups of users.
    pub groups: usize,
    /// Entries of each group's interactions.
    pub pairs: usize,
    /// Standard deviation of a group's linear taste, for each attribute.
    pub linear: f64,
    /// Size of an interaction; its sign is drawn.
    pub interaction: f64,
    /// Standard deviation of the user's own taste for an item.
    pub taste: f64,
    /// Items of a session.
    pub candidates: usize,
    /// Sessions for training, validation and test.
    pub sessions: [usize; 3],
    /// Behaviours that a model sees: the last ones.
    pub cap: usize,
}

/// The items.
#[derive(Debug)]
pub struct Items {
    /// Category of each.
    pub category: Vec<usize>,
    /// Price level of each.
    pub price: Vec<usize>,
    /// Brand of each.
    pub brand: Vec<usize>,
    /// Quality of each.
    pub quality: Vec<[f32; QUALITY]>,
    attributes: Vec<[f64; ATTRIBUTES]>,
}

/// Sessions, one after another.
#[derive(Debug, Default)]
pub struct Sessions {
    /// The user of each session.
    pub user: Vec<usize>,
    /// The query of each session: a category.
    pub query: Vec<usize>,
    /// The items, as many for each session.
    pub items: Vec<usize>,
    /// 1 where clicked.
    pub clicks: Vec<u8>,
    /// The user's true utility of each item.
    pub utility: Vec<f64>,
}

/// The market of a seed.
#[derive(Debug)]
pub struct Market {
    /// The items.
    pub items: Items,
    /// What each user has clicked before, the last `cap` behaviours.
    pub history: Vec<Vec<usize>>,
    /// How many behaviours each user has, those beyond the cap included.
    pub length: Vec<usize>,
    /// The group of each user: truth, never an input.
    pub group: Vec<usize>,
    /// Trained on.
    pub train: Sessions,
    /// Decides about candidates and epochs.
    pub validation: Sessions,
    /// Read once, at the end of a training.
    pub test: Sessions,
    /// What the record says.
    pub data_use: DataUse,
}

/// Which sessions a metric is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// All.
    All,
    /// Those of users with more than 10 behaviours.
    Head,
    /// Those of users with at most 3.
    Tail,
}

impl Items {
    fn draw(config: &MarketConfig, rng: &mut Rng) -> Self {
        let appeal: Vec<f64> = (0..BRANDS).map(|_| rng.sample(StandardNormal)).collect();
        let mut items = Self {
            category: (0..config.items).map(|item| item % config.categories).collect(),
            price: Vec::new(),
            brand: Vec::new(),
            quality: Vec::new(),
            attributes: Vec::new(),
        };
        for _ in 0..config.items {
            let (price, brand) = (rng.random_range(0..PRICES), rng.random_range(0..BRANDS));
            let mut x = [0.0; ATTRIBUTES];
            // The levels 0 .. 4 have mean 2 and variance 2.
            x[0] = (price as f64 - 2.0) / 2f64.sqrt();
            x[1] = appeal[brand];
            x[2..].iter_mut().for_each(|q| *q = rng.sample(StandardNormal));
            items.price.push(price);
            items.brand.push(brand);
            items.quality.push(std::array::from_fn(|at| x[2 + at] as f32));
            items.attributes.push(x);
        }
        items
    }
}

/// What a group or a user likes: a linear taste and interactions of two attributes.
#[derive(Debug, Clone)]
struct Taste {
    linear: [f64; ATTRIBUTES],
    pairs: Vec<(usize, usize, f64)>,
}

impl Taste {
    fn of_group(config: &MarketConfig, rng: &mut Rng) -> Self {
        let all: Vec<(usize, usize)> =
            (0..ATTRIBUTES).flat_map(|i| (i + 1..ATTRIBUTES).map(move |j| (i, j))).collect();
        let chosen = index::sample(rng, all.len(), config.pairs.min(all.len()));
        let mut pair = |at: usize| {
            let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
            (all[at].0, all[at].1, sign * config.interaction)
        };
        let pairs = chosen.iter().map(&mut pair).collect();
        let linear = std::array::from_fn(|_| config.linear * rng.sample::<f64, _>(StandardNormal));
        Self { linear, pairs }
    }

    /// The group's taste with one user's own added, so that `t . x` has the configured deviation.
    fn of_user(&self, config: &MarketConfig, rng: &mut Rng) -> Self {
        let sd = config.taste / (ATTRIBUTES as f64).sqrt();
        let own = self.linear.map(|theta| theta + sd * rng.sample::<f64, _>(StandardNormal));
        Self { linear: own, pairs: self.pairs.clone() }
    }

    fn utility(&self, x: &[f64; ATTRIBUTES]) -> f64 {
        let linear: f64 = self.linear.iter().zip(x).map(|(theta, x)| theta * x).sum();
        linear + self.pairs.iter().map(|&(i, j, q)| q * x[i] * x[j]).sum::<f64>()
    }
}

/// The `n` largest of the utilities with Gumbel noise: a draw without replacement from their
/// softmax, the first drawn first.
fn draw(utility: &[f64], n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut noisy: Vec<(f64, usize)> = utility
        .iter()
        .enumerate()
        .map(|(at, u)| (u - (-(1.0 - rng.random::<f64>()).ln()).max(1e-300).ln(), at))
        .collect();
    let n = n.min(noisy.len());
    if n == 0 {
        return Vec::new();
    }
    noisy.select_nth_unstable_by(n - 1, |a, b| b.0.total_cmp(&a.0));
    noisy.truncate(n);
    noisy.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    noisy.into_iter().map(|(_, at)| at).collect()
}

/// The number of behaviours of a user.
fn length(rng: &mut Rng) -> usize {
    let weight = |m: usize| (m as f64).powf(-1.2);
    let mut left = rng.random::<f64>() * (1..=LONGEST).map(weight).sum::<f64>();
    for m in 1..LONGEST {
        left -= weight(m);
        if left < 0.0 {
            return m;
        }
    }
    LONGEST
}

impl Market {
    /// The market of this seed.
    ///
    /// # Errors
    /// If a category has fewer items than a session shows.
    pub fn generate(config: &MarketConfig, seed: u64) -> Result<Self> {
        let mut rng = stream(seed, "market");
        let items = Items::draw(config, &mut rng);
        let groups: Vec<Taste> =
            (0..config.groups).map(|_| Taste::of_group(config, &mut rng)).collect();
        let group: Vec<usize> =
            (0..config.users).map(|_| rng.random_range(0..config.groups)).collect();
        let tastes: Vec<Taste> =
            group.iter().map(|&g| groups[g].of_user(config, &mut rng)).collect();
        let mut rng = stream(seed, "histories");
        let histories: Vec<Vec<usize>> = tastes
            .iter()
            .map(|taste| {
                let u: Vec<f64> = items.attributes.iter().map(|x| taste.utility(x)).collect();
                draw(&u, length(&mut rng), &mut rng)
            })
            .collect();
        // What a user has met is shown to that user in no session.
        let mut met = histories.clone();
        let mut rng = stream(seed, "sessions");
        let mut part = |n| sessions(config, n, &items, &tastes, &mut met, &mut rng);
        let [train, validation, test] = config.sessions;
        let (train, validation, test) = (part(train)?, part(validation)?, part(test)?);
        let last =
            |history: &Vec<usize>| history[history.len().saturating_sub(config.cap)..].to_vec();
        Ok(Self {
            length: histories.iter().map(Vec::len).collect(),
            history: histories.iter().map(last).collect(),
            items,
            group,
            train,
            validation,
            test,
            data_use: config.data_use(),
        })
    }

    /// The places of the sessions of a slice.
    pub fn sessions_of(&self, sessions: &Sessions, slice: Slice) -> Vec<usize> {
        let inside = |&at: &usize| {
            let m = self.length[sessions.user[at]];
            match slice {
                Slice::All => true,
                Slice::Head => m > HEAD,
                Slice::Tail => m <= TAIL,
            }
        };
        (0..sessions.len()).filter(inside).collect()
    }
}

fn sessions(
    config: &MarketConfig,
    n: usize,
    items: &Items,
    tastes: &[Taste],
    met: &mut [Vec<usize>],
    rng: &mut Rng,
) -> Result<Sessions> {
    let mut part = Sessions::default();
    for _ in 0..n {
        let (user, query) =
            (rng.random_range(0..config.users), rng.random_range(0..config.categories));
        let free: Vec<usize> = (0..config.items)
            .filter(|item| items.category[*item] == query && !met[user].contains(item))
            .collect();
        if free.len() < config.candidates {
            return Err(Error::Data(format!("category {query} has too few items for a session")));
        }
        let chosen = index::sample(rng, free.len(), config.candidates);
        let shown: Vec<usize> = chosen.iter().map(|at| free[at]).collect();
        let utility: Vec<f64> =
            shown.iter().map(|&item| tastes[user].utility(&items.attributes[item])).collect();
        let clicked = draw(&utility, rng.random_range(1..=2), rng);
        part.user.push(user);
        part.query.push(query);
        part.clicks.extend((0..shown.len()).map(|at| u8::from(clicked.contains(&at))));
        part.utility.extend(utility);
        met[user].extend(&shown);
        part.items.extend(shown);
    }
    Ok(part)
}

impl MarketConfig {
    fn data_use(&self) -> DataUse {
        let [train, validation, test] = self.sessions;
        DataUse {
            name: "planted search sessions".into(),
            origin: "generated".into(),
            identity: format!(
                "{} users in {} groups, {} items in {} categories, {} interactions of {} and \
                 linear taste of deviation {} in each group, own taste of deviation {}; one market \
                 for each seed",
                self.users,
                self.groups,
                self.items,
                self.categories,
                self.pairs,
                self.interaction,
                self.linear,
                self.taste,
            ),
            part: format!(
                "{train} train, {validation} validation, {test} test sessions of {} items",
                self.candidates
            ),
        }
    }
}

impl Sessions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.user.len()
    }

    /// Items of each session.
    pub fn candidates(&self) -> usize {
        self.items.len() / self.len().max(1)
    }

    /// `of` these sessions: AUC over all rows, mean AUC within a session, NDCG of 10 places.
    ///
    /// # Errors
    /// If there are no clicks among the sessions, or a score is no number.
    pub fn ranking(&self, scores: &[f64], of: &[usize]) -> Result<[f64; 3]> {
        let c = self.candidates();
        let rows: Vec<usize> = of.iter().flat_map(|&at| at * c..(at + 1) * c).collect();
        let scores: Vec<f64> = rows.iter().map(|&row| scores[row]).collect();
        let labels: Vec<u8> = rows.iter().map(|&row| self.clicks[row]).collect();
        let session: Vec<usize> = rows.iter().map(|row| row / c).collect();
        let all = [
            metric::auc(&scores, &labels),
            metric::group_auc(&scores, &labels, &session),
            metric::ndcg_at(10, &scores, &labels, &session),
        ];
        match all {
            [Some(auc), Some(session), Some(ndcg)] => Ok([auc, session, ndcg]),
            _ => Err(Error::Study(format!("nothing to rank in {} sessions", of.len()))),
        }
    }
}

/// Sessions as a model reads them: all of them have as many candidates.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Items of the histories, padded with item 0, session after session, then the candidates.
    pub items: Vec<usize>,
    /// 1 at a behaviour, `[sessions, places]`.
    pub mask: Vec<bool>,
    /// Places of a padded history.
    pub places: usize,
    /// `[sessions]`.
    pub query: Vec<usize>,
    /// `[sessions]`.
    pub user: Vec<usize>,
    /// ln(number of behaviours that are seen) / ln(30), `[sessions, 1]`.
    pub length: Tensor<2>,
    /// 1 where clicked, `[rows]`.
    pub clicks: Tensor<1>,
}

impl Batch {
    /// These sessions of a part.
    pub fn new(market: &Market, part: &Sessions, of: &[usize], device: &Device) -> Self {
        let c = part.candidates();
        let user: Vec<usize> = of.iter().map(|&at| part.user[at]).collect();
        let places = user.iter().map(|&u| market.history[u].len()).max().unwrap_or(1).max(1);
        let (mut items, mut mask, mut length) = (Vec::new(), Vec::new(), Vec::new());
        for &u in &user {
            let history = &market.history[u];
            items.extend((0..places).map(|at| history.get(at).copied().unwrap_or(0)));
            mask.extend((0..places).map(|at| at < history.len()));
            length.push((history.len().max(1) as f32).ln() / (LONGEST as f32).ln());
        }
        items.extend(of.iter().flat_map(|&at| &part.items[at * c..(at + 1) * c]));
        let rows = of.iter().flat_map(|&at| &part.clicks[at * c..(at + 1) * c]);
        let clicks: Vec<f32> = rows.map(|&y| f32::from(y)).collect();
        let n = of.len();
        Self {
            items,
            mask,
            places,
            query: of.iter().map(|&at| part.query[at]).collect(),
            user,
            length: Tensor::from_data(TensorData::new(length, [n, 1]), device),
            clicks: Tensor::from_data(TensorData::new(clicks, [n * c]), device),
        }
    }

    /// Sessions.
    pub fn sessions(&self) -> usize {
        self.query.len()
    }

    /// Items of each session.
    pub fn candidates(&self) -> usize {
        self.clicks.dims()[0] / self.sessions()
    }

    /// A mask as numbers, `[sessions, places]`.
    pub fn numbers(&self, mask: &[bool]) -> Tensor<2> {
        let values: Vec<f32> = mask.iter().map(|&there| f32::from(u8::from(there))).collect();
        let shape = [self.sessions(), self.places];
        Tensor::from_data(TensorData::new(values, shape), &self.clicks.device())
    }

    /// Pairs of sessions that belong to one user: none is a negative of the other.
    pub fn same_user(&self) -> Vec<bool> {
        self.user.iter().flat_map(|a| self.user.iter().map(move |b| a == b)).collect()
    }
}

/// Symbols as a tensor.
pub fn symbols(of: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i32> = of.map(|id| id as i32).collect();
    let n = ids.len();
    Tensor::from_data(TensorData::new(ids, [n]), device)
}
