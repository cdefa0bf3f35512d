//! # Speed of the matrix product
//!
//! GFLOP/s over shapes of small networks, by one thread and by two.
//!
//! ```text
//! $ cargo run --package pressrun-kernels --example product
//! 1 128x784x256 t0: 447.7 us, 115 GFLOP/s
//! ```

use pressrun_kernels::matrix::{Mat, product};
use std::time::Instant;
fn main() {
    let shapes = [
        (128usize, 784usize, 256usize, 0),
        (784, 128, 256, 1),
        (128, 256, 784, 2),
        (128, 256, 256, 0),
        (3136, 64, 192, 0),
        (64, 3136, 192, 1),
        (3136, 192, 64, 2),
        (3136, 64, 64, 0),
        (3136, 64, 128, 0),
        (3136, 128, 64, 0),
        (256, 7840, 64, 0),
        (7840, 256, 64, 1),
        (256, 64, 7840, 2),
        (128, 256, 10, 0),
    ];
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            for (m, k, n, t) in shapes {
                let a = vec![0.5f32; m * k];
                let b = vec![0.25f32; k * n];
                let ma = if t == 1 { Mat::new(&a, k, m).t() } else { Mat::new(&a, m, k) };
                let mb = if t == 2 { Mat::new(&b, n, k).t() } else { Mat::new(&b, k, n) };
                let mut best = f64::MAX;
                for _ in 0..60 {
                    let s = Instant::now();
                    let c = product(ma, mb);
                    std::hint::black_box(&c);
                    best = best.min(s.elapsed().as_secs_f64());
                }
                println!(
                    "{threads} {m}x{k}x{n} t{t}: {:.1} us, {:.0} GFLOP/s",
                    best * 1e6,
                    2.0 * (m * k * n) as f64 / best / 1e9
                );
            }
        });
    }
}
