//! What is trained in which order: the global experts, the users' views, the grid, the arms.

use burn::module::Module;
use burn::tensor::Device;
use pressrun_data::images::UserStyle;
use pressrun_data::split;
use pressrun_lab::{Arm, Better, Job, Result, Run, Trial};
use pressrun_nn::conv::LeNet5Config;
use pressrun_nn::device;
use pressrun_nn::mlp::MlpConfig;

use super::arms::{Decider, Fitted, User, gate_costs, outcome};
use super::data::{Parts, drawn, style};
use super::global::{Global, Seen, failed, right, train};
use super::local::{Bench, LocalExpert};
use super::measure::{Outcome, Side, report, share};
use super::tune::{FineTuning, Mine, answers, fine_tune};
use super::{CLASSES, Config, Data, FINE_TUNING, GLOBAL, LOCAL, METHOD, RAW};

/// A learning rate and, for fine-tuning, a number of epochs.
type Chosen = (f64, usize);

/// The run with all that is trained once.
struct Plan<'a> {
    run: &'a Run<'a>,
    config: &'a Config,
    device: Device,
    globals: Vec<Global>,
    /// Users of each data set; after those of the results, those for tuning.
    users: Vec<Vec<User>>,
}

/// What an arm's job trains.
#[derive(Debug, Clone, Copy)]
struct Task {
    /// Position of the data set.
    data: usize,
    /// Pictures of each class that a user draws.
    per_class: usize,
    /// What is trained.
    part: Part,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    /// The local expert and the gate, with this learning rate.
    Local(f64),
    /// The global expert further.
    Fine(FineTuning, Chosen),
}

/// Trains everything.
///
/// # Errors
/// If the run is cancelled or a training fails.
pub fn run(run: &Run<'_>, config: &Config) -> Result<()> {
    let device = device::named(run.device()).map_err(failed)?;
    let globals = globals(run, config, &device)?;
    let users = users(run, config, &globals, &device)?;
    let plan = Plan { run, config, device, globals, users };
    let chosen = plan.choose()?;
    plan.arms(&chosen)
}

fn globals(run: &Run<'_>, config: &Config, device: &Device) -> Result<Vec<Global>> {
    let seed = run.seeds()[0];
    let job = |data: &Data| {
        let updates = data.epochs * (data.sizes.generic / data.batch);
        Job::new(&data.setting(data.most()), GLOBAL, seed, updates as u64).with(data.clone())
    };
    run.arms(config.data.iter().map(job).collect(), |arm| {
        let parts = Parts::load(arm.run(), arm.config())?;
        train(arm, parts, device)
    })
}

fn users(
    run: &Run<'_>,
    config: &Config,
    globals: &[Global],
    device: &Device,
) -> Result<Vec<Vec<User>>> {
    let mut jobs = Vec::new();
    for (at, data) in config.data.iter().enumerate() {
        for number in 0..data.users + data.tuning_users {
            let setting = data.setting(data.most());
            jobs.push(Job::new(&setting, GLOBAL, number as u64, 1).with((at, number)));
        }
    }
    let places: Vec<usize> = jobs.iter().map(|job| job.config.0).collect();
    let found = run.arms(jobs, |arm| {
        arm.step()?;
        let &(at, number) = arm.config();
        Ok(user(&globals[at], number, number < config.data[at].users, device))
    })?;
    let mut users: Vec<Vec<User>> = globals.iter().map(|_| Vec::new()).collect();
    for (place, user) in places.into_iter().zip(found) {
        users[place].push(user);
    }
    Ok(users)
}

fn user(global: &Global, number: usize, tested: bool, device: &Device) -> User {
    let style: UserStyle = style(number, CLASSES);
    let pool = style.apply(&global.parts.pool);
    let test = &global.parts.user_test;
    let test = if tested { style.apply(test) } else { test.subset(&[]) };
    let [pool_seen, test_seen] =
        [&pool, &test].map(|images| Seen::new(&global.net, images, device));
    User { number, pool, test, pool_seen, test_seen }
}

impl Plan<'_> {
    fn bench(&self, seed: u64, user: usize) -> Bench<'_> {
        Bench { run: self.run, config: self.config, device: &self.device, seed, user }
    }

    /// What a user draws: the same pictures for every arm, and fewer ones among more.
    fn mine(&self, bench: &Bench<'_>, user: &User, per_class: usize) -> Mine {
        let rows = drawn(user.pool.labels(), CLASSES, per_class, &mut bench.rng("drawn"));
        Mine { images: user.pool.subset(&rows), seen: user.pool_seen.subset(&rows) }
    }

    /// Learning rate, and number of epochs of fine-tuning, of the method and of each fine-tuning in
    /// each data set: the best on pictures that users who are for tuning only have left out.
    fn choose(&self) -> Result<Vec<Vec<Chosen>>> {
        let (config, seed) = (self.config, self.run.seeds()[0]);
        if config.data.iter().any(|data| data.tuning_users == 0) {
            return Ok(self.middle_rates());
        }
        let mut jobs = Vec::new();
        for (at, data) in config.data.iter().enumerate() {
            let per_class = data.most();
            let setting = data.setting(per_class);
            for &lr in &config.lr {
                let task = Task { data: at, per_class, part: Part::Local(lr) };
                jobs.push(Job::new(&setting, METHOD, seed, 1).with(task));
            }
            for &(name, kind, ref rates) in FINE_TUNING {
                for &lr in rates {
                    let part = Part::Fine(kind, (lr, config.tuning_epochs));
                    let task = Task { data: at, per_class, part };
                    jobs.push(Job::new(&setting, name, seed, 1).with(task));
                }
            }
        }
        let described: Vec<Job<Task>> = jobs.clone();
        let curves = self.run.arms(jobs, |arm| self.tuning_curve(arm))?;
        let best: Vec<(usize, f64)> = curves.iter().map(|curve| best_epoch(curve)).collect();
        let trials: Vec<Trial> = described
            .iter()
            .zip(&best)
            .map(|(job, &(epoch, value))| Trial {
                setting: job.setting.clone(),
                method: job.method.clone(),
                candidate: match job.config.part {
                    Part::Local(lr) => format!("lr {lr}"),
                    Part::Fine(_, (lr, _)) => format!("lr {lr}, {epoch} epochs"),
                },
                value,
            })
            .collect();
        let metric = "accuracy on a fifth of the pictures of users who are for tuning only";
        let chosen = self.run.choose(metric, Better::Higher, &trials);
        let pick = |at: usize| match described[at].config.part {
            Part::Local(lr) => (lr, 0),
            Part::Fine(_, (lr, _)) => (lr, best[at].0),
        };
        let arms = 1 + FINE_TUNING.len();
        Ok(chosen.chunks(arms).map(|of| of.iter().map(|&at| pick(at)).collect()).collect())
    }

    /// Without users for tuning: the third of each grid.
    fn middle_rates(&self) -> Vec<Vec<Chosen>> {
        let config = self.config;
        let middle = |rates: &[f64]| rates[rates.len() / 2];
        let mut chosen = vec![(middle(&config.lr), 0)];
        let fine = FINE_TUNING.iter().map(|(_, _, rates)| (middle(rates), config.tuning_epochs));
        chosen.extend(fine);
        vec![chosen; config.data.len()]
    }

    /// Mean over the users for tuning of the accuracy on the pictures left out, epoch by epoch.
    fn tuning_curve(&self, arm: &Arm<'_, Task>) -> Result<Vec<f64>> {
        arm.step()?;
        let task = arm.config();
        let (data, global) = (&self.config.data[task.data], &self.globals[task.data]);
        let mut sums: Vec<f64> = Vec::new();
        for user in &self.users[task.data][data.users..] {
            let bench = self.bench(arm.seed(), user.number);
            let all = self.mine(&bench, user, task.per_class);
            let rounds = split::folds(&all.seen.labels, 5, &mut bench.rng("tuning"));
            let (learn, held) = (all.subset(&rounds[0].train), all.subset(&rounds[0].held_out));
            let mut curve = Vec::new();
            match task.part {
                Part::Local(lr) => {
                    let fitted = Fitted::new(&bench, &learn.seen, &global.buffer, lr)?;
                    curve.push(fitted.side(&bench, &held.seen).accuracy());
                }
                Part::Fine(kind, (lr, epochs)) => {
                    fine_tune(&bench, global, &learn, (kind, lr, epochs), |net| {
                        let found = answers(&bench, net, kind, (&held.images, &held.seen));
                        curve.push(share(&right(&found, &held.seen.labels)));
                        Ok(())
                    })?;
                }
            }
            sums.resize(curve.len(), 0.0);
            sums.iter_mut().zip(curve).for_each(|(sum, value)| *sum += value);
        }
        Ok(sums.into_iter().map(|sum| sum / data.tuning_users as f64).collect())
    }

    /// Trains every arm for every user, the long ones first.
    fn arms(&self, chosen: &[Vec<Chosen>]) -> Result<()> {
        let (config, seeds) = (self.config, self.run.seeds());
        let mut jobs = Vec::new();
        for (at, data) in config.data.iter().enumerate() {
            let all = data.per_class.iter().flat_map(|&n| seeds.iter().map(move |&s| (n, s)));
            for (per_class, seed) in all {
                let setting = data.setting(per_class);
                let mut push = |name, part| {
                    let task = Task { data: at, per_class, part };
                    jobs.push(Job::new(&setting, name, seed, data.users as u64).with(task));
                };
                for (&(name, kind, _), &choice) in FINE_TUNING.iter().zip(&chosen[at][1..]) {
                    push(name, Part::Fine(kind, choice));
                }
                push(METHOD, Part::Local(chosen[at][0].0));
            }
        }
        jobs.sort_by_key(|job| match job.config.part {
            Part::Fine(kind, (_, epochs)) => {
                let pictures = job.config.per_class * CLASSES * job.steps as usize;
                std::cmp::Reverse(kind.cost(pictures, epochs))
            }
            Part::Local(_) => std::cmp::Reverse(0),
        });
        self.run.arms(jobs, |arm| match arm.config().part {
            Part::Local(lr) => self.local(arm, lr),
            Part::Fine(kind, choice) => self.fine(arm, kind, choice),
        })?;
        Ok(())
    }

    /// Every arm that keeps the global expert as it is.
    fn local(&self, arm: &Arm<'_, Task>, lr: f64) -> Result<()> {
        let (config, task) = (self.config, arm.config());
        let (data, global) = (&config.data[task.data], &self.globals[task.data]);
        let main = task.per_class == data.most();
        let with_fewer = |name: &str| main || [METHOD, GLOBAL, LOCAL].contains(&name);
        let arms: Vec<_> = config.arms.iter().filter(|arm| with_fewer(arm.0)).collect();
        let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); arms.len()];
        let mut means = [0.0; 5];
        for user in &self.users[task.data][..data.users] {
            arm.step()?;
            let bench = self.bench(arm.seed(), user.number);
            let mine = self.mine(&bench, user, task.per_class);
            let fitted = Fitted::new(&bench, &mine.seen, &global.buffer, lr)?;
            if user.number == 0 && main {
                for (epoch, &loss) in fitted.expert.curve.iter().enumerate() {
                    arm.point("local/held-out-loss", epoch as u64 + 1, loss);
                }
            }
            if user.number == 0 {
                self.sizes(arm, &fitted, global)?;
            }
            let effort = fitted.effort(config, mine.seen.len(), global.buffer.len());
            let correct = |answers: &[u8]| share(&right(answers, &mine.seen.labels));
            let of_user = [
                effort.multiply_adds as f64 / 1e6,
                effort.share,
                f64::from(fitted.gate.net.threshold()),
                correct(&fitted.expert.outside),
                correct(&fitted.expert.inside),
            ];
            means.iter_mut().zip(of_user).for_each(|(m, value)| *m += value / data.users as f64);
            for (&&(_, decider), outcomes) in arms.iter().zip(&mut outcomes) {
                let with = (global, user, &mine.seen, lr);
                outcomes.push(outcome(&bench, decider, &fitted, with)?);
            }
        }
        for (&&(name, decider), outcomes) in arms.iter().zip(&outcomes) {
            report(self.run, arm.setting(), name, arm.seed(), outcomes);
            if decider == Decider::Global {
                let lost = outcomes.iter().map(|o| o.generic.accuracy() - o.user.accuracy());
                let lost = lost.sum::<f64>() / outcomes.len() as f64;
                self.run.result(arm.setting(), name, "user/style-cost", arm.seed(), lost);
            }
        }
        let names = ["train/multiply-adds", "train/share", "gate/threshold"];
        let names = names.into_iter().chain(["local/outside", "local/inside"]);
        names.zip(means).for_each(|(name, value)| arm.result(name, value));
        Ok(())
    }

    /// What the two small networks add to the global expert, counted on the networks themselves.
    fn sizes(&self, arm: &Arm<'_, Task>, fitted: &Fitted, global: &Global) -> Result<()> {
        let whole = global.net.num_params() as f64;
        let added = fitted.expert.net.num_params() + fitted.gate.net.num_params();
        arm.result("cost/parameters", added as f64 / whole);
        let hidden = self.config.hidden;
        let added = LocalExpert::costs(hidden).forward() + gate_costs(hidden).forward();
        let whole_cost = LeNet5Config::new(CLASSES).costs().forward();
        arm.result("cost/multiply-adds", added as f64 / whole_cost as f64);
        // A local expert on pixels: two hidden units are as many weights as the two networks on
        // features together. Its size is all that is reported of it.
        let raw = MlpConfig::new([784, 2, CLASSES]).init(&self.device, &mut arm.rng("raw"));
        let raw = raw.map_err(failed)?.num_params() as f64 / whole;
        self.run.result(arm.setting(), RAW, "cost/parameters", arm.seed(), raw);
        Ok(())
    }

    /// The global expert tuned for each user.
    fn fine(&self, arm: &Arm<'_, Task>, kind: FineTuning, (lr, epochs): Chosen) -> Result<()> {
        let task = arm.config();
        let (data, global) = (&self.config.data[task.data], &self.globals[task.data]);
        let mut outcomes = Vec::new();
        for user in &self.users[task.data][..data.users] {
            arm.step()?;
            let bench = self.bench(arm.seed(), user.number);
            let mine = self.mine(&bench, user, task.per_class);
            let net = fine_tune(&bench, global, &mine, (kind, lr, epochs), |_| Ok(()))?;
            let on = |images, seen: &Seen| {
                Side::of_answers(seen, &answers(&bench, &net, kind, (images, seen)))
            };
            outcomes.push(Outcome {
                user: on(&user.test, &user.test_seen),
                generic: on(&global.parts.test, &global.test),
            });
        }
        report(self.run, arm.setting(), arm.method(), arm.seed(), &outcomes);
        let cost = kind.cost(task.per_class * CLASSES, epochs);
        arm.result("train/multiply-adds", cost as f64 / 1e6);
        Ok(())
    }
}

/// The first epoch with the best accuracy, from 1, and that accuracy.
fn best_epoch(curve: &[f64]) -> (usize, f64) {
    let best = |best: (usize, f64), (at, &value): (usize, &f64)| {
        if value > best.1 { (at + 1, value) } else { best }
    };
    curve.iter().enumerate().fold((1, f64::NEG_INFINITY), best)
}
