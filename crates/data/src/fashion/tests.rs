use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

/// A made-up set of `n` images a file in `dir`; image `i` is grey `i`, its label `i % 10`.
fn write_set(dir: &Path, n: usize, packed: bool) {
    fs::create_dir_all(dir).unwrap();
    let images = (0..n).flat_map(|i| [i as u8; SIDE * SIDE]).collect();
    let images = Idx::new(vec![n, SIDE, SIDE], images).unwrap().to_bytes();
    let labels = Idx::new(vec![n], (0..n).map(|i| (i % 10) as u8).collect()).unwrap().to_bytes();
    for (file, bytes) in FILES.iter().zip([&images, &labels, &images, &labels]) {
        if packed {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(bytes).unwrap();
            fs::write(dir.join(format!("{}.gz", file.name)), gzip.finish().unwrap()).unwrap();
        } else {
            fs::write(dir.join(file.name), bytes).unwrap();
        }
    }
}

fn failure(dir: &TempDir) -> String {
    let message = Fashion::load(&Sources::only(dir.path())).unwrap_err().to_string();
    message.replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn the_embedded_subset_is_balanced_and_the_published_one() {
    let fashion = Fashion::load(&Sources::embedded()).unwrap();
    for (images, each) in [(&fashion.train, 500), (&fashion.test, 200)] {
        for class in 0..10 {
            assert_eq!(images.labels().iter().filter(|&&label| label == class).count(), each);
        }
    }
    // Sums of all bytes, from the whole set by
    //   python3 -c "import gzip, sys
    //   i, l = (gzip.open(sys.argv[k]).read()[h:] for k, h in ((1, 16), (2, 8)))
    //   n, c, s = int(sys.argv[3]), [0] * 10, 0
    //   for k, y in enumerate(l):
    //     if c[y] < n: c[y] += 1; s += sum(i[784*k:784*k+784])
    //   print(s)" IMAGES LABELS 500
    let grey = |images: &Images| -> f64 {
        images.pixels().iter().map(|&pixel| (255.0 * f64::from(pixel)).round()).sum()
    };
    assert_eq!(grey(&fashion.train), 287_231_516.0);
    assert_eq!(grey(&fashion.test), 114_072_606.0);
    assert_eq!(fashion.train.classes()[usize::from(fashion.train.labels()[0])], "Ankle boot");
    assert!(fashion.provenance.verified);
    assert_eq!(fashion.provenance.train, 5_000);
}

#[test]
fn a_folder_is_read_packed_or_not_and_in_its_subfolder() {
    for (sub, packed) in [("", false), ("", true), (NAME, false), (NAME, true)] {
        let dir = TempDir::new().unwrap();
        write_set(&dir.path().join(sub), 30, packed);
        let fashion = Fashion::load_balanced(&Sources::only(dir.path()), 20, 99).unwrap();
        assert_eq!((fashion.train.len(), fashion.test.len()), (20, 30));
        assert_eq!(fashion.test.image(25)[783], 25.0 / 255.0);
        assert_eq!(fashion.test.labels()[25], 5);
        let provenance = fashion.provenance;
        assert_eq!(provenance.origin, Origin::Folder(dir.path().join(sub)));
        assert_eq!((provenance.train, provenance.test), (30, 30));
        assert!(!provenance.verified, "these are not the published files");
        assert_eq!(provenance.sha256.len(), 64);
    }
}

#[test]
fn a_folder_without_the_files_is_passed_over() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("notes.txt"), "nothing here").unwrap();
    let fashion = Fashion::load_balanced(&Sources::only(dir.path()), 10, 10).unwrap();
    assert_eq!(fashion.provenance.origin, Origin::Embedded);
    let nowhere = Sources::only(&dir.path().join("nowhere"));
    assert_eq!(
        Fashion::load_balanced(&nowhere, 10, 10).unwrap().provenance.origin,
        Origin::Embedded
    );
}

#[test]
fn a_folder_with_part_of_the_files_is_an_error() {
    let dir = TempDir::new().unwrap();
    write_set(dir.path(), 10, false);
    fs::remove_file(dir.path().join(FILES[2].name)).unwrap();
    assert_eq!(
        failure(&dir),
        "`DIR` holds part of the data set: `t10k-images-idx3-ubyte` (or \
         `t10k-images-idx3-ubyte.gz`) is missing; expected all of it, or none"
    );
}

#[test]
fn damaged_files_are_errors_with_file_and_position() {
    let dir = TempDir::new().unwrap();
    write_set(dir.path(), 10, true);
    let images = dir.path().join("train-images-idx3-ubyte.gz");
    let whole = fs::read(&images).unwrap();
    fs::write(&images, &whole[..whole.len() / 2]).unwrap();
    let message = failure(&dir);
    assert!(
        message.starts_with("`DIR/train-images-idx3-ubyte.gz`: cannot be unpacked after"),
        "{message}"
    );

    // An unpacked file comes before the packed one of the same name.
    let small = Idx::new(vec![10, 8, 8], vec![0; 640]).unwrap();
    fs::write(dir.path().join("train-images-idx3-ubyte"), small.to_bytes()).unwrap();
    assert_eq!(failure(&dir), "`DIR/train-images-idx3-ubyte`, byte 8: expected 28 rows, found `8`");

    let few = Idx::new(vec![9], vec![0; 9]).unwrap();
    fs::write(&images, whole).unwrap();
    fs::remove_file(dir.path().join("train-images-idx3-ubyte")).unwrap();
    fs::write(dir.path().join("train-labels-idx1-ubyte"), few.to_bytes()).unwrap();
    assert_eq!(
        failure(&dir),
        "`DIR/train-images-idx3-ubyte.gz`, byte 4: expected 9 images, one a label, found `10`"
    );

    let eleventh = Idx::new(vec![10], vec![10; 10]).unwrap();
    fs::write(dir.path().join("train-labels-idx1-ubyte"), eleventh.to_bytes()).unwrap();
    assert_eq!(
        failure(&dir),
        "`DIR/train-labels-idx1-ubyte`, byte 8: expected a label from 0 to 9, found `10`"
    );
}

/// Where Debian's package `dataset-fashion-mnist` puts the whole set. Without it a test announces
/// that it is skipped, and fails under `CI=true`.
pub(super) fn debian() -> Option<&'static Path> {
    let dir = Path::new("/usr/share/datasets/fashion-mnist");
    if dir.is_dir() {
        return Some(dir);
    }
    let text = format!("`{}` is missing: install `dataset-fashion-mnist`", dir.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
    eprintln!("SKIPPED: {text}");
    None
}

#[test]
fn the_whole_set_is_the_published_one_and_begins_with_the_embedded_subset() {
    if debian().is_none() {
        return;
    }
    let whole = Fashion::load(&Sources::everywhere(None)).unwrap();
    assert!(whole.provenance.verified, "{}", whole.provenance);
    assert_eq!((whole.train.len(), whole.test.len()), (60_000, 10_000));
    // The values that are in general use for normalising this set.
    let moments = whole.train.moments();
    assert!((moments.mean[0] - 0.2860).abs() < 5e-5, "{moments:?}");
    assert!((moments.std[0] - 0.3530).abs() < 5e-5, "{moments:?}");
    let embedded = Fashion::load(&Sources::embedded()).unwrap();
    assert_eq!(whole.train.first_balanced(5_000), embedded.train);
    assert_eq!(whole.test.first_balanced(2_000), embedded.test);
}
