//! # Training steps, timed
//!
//! Speaks the protocol of `xtask/bench/torch_steps.py`: for every line `W n` on standard input,
//! where `W` is a workload (W1..W7, OA..OG), one line of JSON with the milliseconds and the losses
//! of `n` steps. `cargo xtask bench steps` runs both side by side.
//!
//! ```text
//! $ echo "W7 2" | STEPS_THREADS=1 cargo run --package pressrun-nn --package pressrun --example steps
//! {"t":[0.06,0.03],"l":[0.70,0.70]}
//! ```

use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

mod models;
mod single;
mod values;
mod workloads;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let threads = std::env::var("STEPS_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    // Within the pool, as the lab runs its arms: a call from outside would have to wake it.
    pool.install(serve);
}

fn serve() {
    let mut made: Vec<(String, workloads::Step)> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input");
        let (name, steps) = line.split_once(' ').expect("a line `W n`");
        let steps: usize = steps.trim().parse().expect("a number of steps");
        if !made.iter().any(|(known, _)| known == name) {
            made.push((name.to_owned(), workloads::make(name)));
        }
        let step = made.iter_mut().find(|(known, _)| known == name).map(|(_, step)| step);
        let step = step.expect("made above");
        let (mut times, mut losses) = (String::new(), String::new());
        for _ in 0..steps {
            let begin = Instant::now();
            let loss = step();
            let comma = if times.is_empty() { "" } else { "," };
            write!(times, "{comma}{:.6}", begin.elapsed().as_secs_f64() * 1e3).expect("a string");
            write!(losses, "{comma}{loss:.8}").expect("a string");
        }
        println!("{{\"t\":[{times}],\"l\":[{losses}]}}");
        std::io::stdout().flush().expect("standard output");
    }
}
