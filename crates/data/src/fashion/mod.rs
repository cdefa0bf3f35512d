//! Fashion-MNIST: the embedded subset, or the whole set where it lies on this machine.

#[cfg(feature = "fetch")]
mod fetch;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::idx::{Idx, unpack};
use crate::{Error, Images, Origin, Provenance, Result, Sources, Split, embedded, hash, split};

#[cfg(feature = "fetch")]
pub use fetch::{ADDRESSES, Fetched, Progress, fetch, fetch_with};

/// Name of the data set's card, and of its folder within a data folder.
pub const NAME: &str = "fashion-mnist";

const SIDE: usize = 28;

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// One of the four files of the whole set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeFile {
    /// Its usual name, without `.gz`.
    pub name: &'static str,
    /// SHA-256 of the unpacked file: packed forms differ in their headers.
    pub sha256: &'static str,
    /// Number of bytes, unpacked.
    pub bytes: usize,
}

/// The whole set: training images and labels, test images and labels.
pub const FILES: [WholeFile; 4] = [
    WholeFile {
        name: "train-images-idx3-ubyte",
        sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        bytes: 47_040_016,
    },
    WholeFile {
        name: "train-labels-idx1-ubyte",
        sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        bytes: 60_008,
    },
    WholeFile {
        name: "t10k-images-idx3-ubyte",
        sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        bytes: 7_840_016,
    },
    WholeFile {
        name: "t10k-labels-idx1-ubyte",
        sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        bytes: 10_008,
    },
];

/// SHA-256 of the four files of the whole set, one after another.
const WHOLE: &str = "14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214";
/// SHA-256 of the four files of the embedded subset, one after another.
const EMBEDDED: &str = "3b926b5264236e47cda81fa1aff9815b94f80cdb851b4c6a8ae4d00374dd5dbd";

/// Fashion-MNIST: grey pictures of clothes, 28 x 28 pixels from 0 to 1, 10 classes.
///
/// Embedded are the first 500 of each class of the training set and the first 200 of each class of
/// the test set, in file order. The whole set, 60,000 and 10,000, is read where it lies: in a folder
/// of [`Sources`] or its subfolder `fashion-mnist`, under the usual names, packed or not.
///
/// # Shapes
/// - pixels: `[images, 1, 28, 28]`, labels: `[images]`
///
/// # Source
/// Xiao, Rasul, Vollgraf, arXiv:1708.07747. The data set's [card](crate::card) is `fashion-mnist`.
///
/// # Example
/// ```
/// use pressrun_data::{Fashion, Origin, Sources};
///
/// let fashion = Fashion::load(&Sources::embedded())?;
/// assert_eq!((fashion.train.len(), fashion.test.len()), (5_000, 2_000));
/// assert_eq!(fashion.provenance.origin, Origin::Embedded);
/// assert!(fashion.provenance.verified);
/// # Ok::<(), pressrun_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Fashion;

impl Fashion {
    /// The largest set that the sources have; the returned provenance says which it is.
    ///
    /// # Errors
    /// If a folder holds some of the four files but not all, a file cannot be read or unpacked, or
    /// one does not hold what it should. A folder without any of the files is passed over.
    pub fn load(sources: &Sources) -> Result<Split> {
        Self::load_balanced(sources, usize::MAX, usize::MAX)
    }

    /// As [`Fashion::load`], at most the first `train` and `test` images that hold every class
    /// equally often; the whole set as `f32` takes 220 MB.
    ///
    /// # Errors
    /// As [`Fashion::load`].
    ///
    /// # Example
    /// ```
    /// use pressrun_data::{Fashion, Sources};
    ///
    /// let fashion = Fashion::load_balanced(&Sources::embedded(), 100, 50)?;
    /// assert_eq!((fashion.train.len(), fashion.test.len()), (100, 50));
    /// assert_eq!(fashion.train.labels().iter().filter(|&&label| label == 9).count(), 10);
    /// # Ok::<(), pressrun_data::Error>(())
    /// ```
    pub fn load_balanced(sources: &Sources, train: usize, test: usize) -> Result<Split> {
        for dir in sources.dirs() {
            for dir in [dir.join(NAME), dir.to_owned()] {
                if let Some(files) = find(&dir)? {
                    let read = |path: &PathBuf| {
                        std::fs::read(path).map_err(|source| Error::Io {
                            action: "read",
                            path: path.clone(),
                            source,
                        })
                    };
                    let [a, b, c, d] = &files;
                    let packed = [read(a)?, read(b)?, read(c)?, read(d)?];
                    let names = files.each_ref().map(|path| path.display().to_string());
                    let files = std::array::from_fn(|at| (&*names[at], &*packed[at]));
                    return assemble(files, Origin::Folder(dir), train, test);
                }
            }
        }
        let files = embedded::FASHION.each_ref().map(|file| (file.name, file.packed));
        assemble(files, Origin::Embedded, train, test)
    }
}

/// The four files in `dir`, or `None` if it has none of them.
fn find(dir: &Path) -> Result<Option<[PathBuf; 4]>> {
    let found = FILES.map(|file| {
        let packed = format!("{}.gz", file.name);
        [file.name, &packed].map(|name| dir.join(name)).into_iter().find(|path| path.is_file())
    });
    if found.iter().all(Option::is_none) {
        return Ok(None);
    }
    match found.iter().position(Option::is_none) {
        Some(at) => Err(Error::Incomplete { dir: dir.to_owned(), missing: FILES[at].name }),
        None => Ok(Some(found.map(|path| path.expect("none is missing")))),
    }
}

/// Parses the four files, each with its name for errors, and keeps at most so many images.
fn assemble(files: [(&str, &[u8]); 4], origin: Origin, train: usize, test: usize) -> Result<Split> {
    let [a, b, c, d] = files;
    let unpack = |(name, bytes)| Ok::<_, Error>((name, unpack(name, bytes)?));
    let files: [(&str, Cow<'_, [u8]>); 4] = [unpack(a)?, unpack(b)?, unpack(c)?, unpack(d)?];
    let sha256 = hash::sha256(files.iter().map(|(_, bytes)| &**bytes));
    let [train_images, train_labels, test_images, test_labels] = files;
    let (train, train_found) = images(&train_images, &train_labels, train)?;
    let (test, test_found) = images(&test_images, &test_labels, test)?;
    let published = if origin == Origin::Embedded { EMBEDDED } else { WHOLE };
    let provenance = Provenance {
        card: NAME.to_owned(),
        origin,
        verified: sha256 == published,
        sha256,
        train: train_found,
        test: test_found,
    };
    Ok(Split { train, test, provenance })
}

/// At most `n` images, balanced, and how many the files hold.
fn images(
    (image_file, image_bytes): &(&str, Cow<'_, [u8]>),
    (label_file, label_bytes): &(&str, Cow<'_, [u8]>),
    n: usize,
) -> Result<(Images, usize)> {
    let labels = Idx::parse(label_file, label_bytes)?.expect_labels(label_file, CLASSES.len())?;
    let found = labels.data().len();
    let images = Idx::parse(image_file, image_bytes)?;
    let images = images.expect_images(image_file, [found, SIDE, SIDE])?;
    let rows = if n < found {
        split::balanced(labels.data(), CLASSES.len(), n)
    } else {
        (0..found).collect()
    };
    let area = SIDE * SIDE;
    let mut pixels = Vec::with_capacity(rows.len() * area);
    for &row in &rows {
        let image = &images.data()[row * area..(row + 1) * area];
        pixels.extend(image.iter().map(|&grey| f32::from(grey) / 255.0));
    }
    let labels = rows.iter().map(|&row| labels.data()[row]).collect();
    let classes = CLASSES.map(str::to_owned).to_vec();
    Ok((Images::new([1, SIDE, SIDE], pixels, labels, classes)?, found))
}

#[cfg(test)]
mod tests;
