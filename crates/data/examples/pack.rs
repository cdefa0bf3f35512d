//! # Making the embedded files
//!
//! Turns published files into the ones in `assets/`; `assets/README.md` says where they come from.
//!
//! ```text
//! cargo run -p pressrun-data --example pack -- SKLEARN_DATA FASHION ADULT_CSV OUT
//! digits-images-idx3-ubyte.gz        115024 ->   43310 bytes, sha256 of the content c1b5...
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, error, fs};

use flate2::{Compression, GzBuilder};
use pressrun_data::idx::{Idx, unpack};
use pressrun_data::split;
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [sklearn, fashion, adult, out] = &arguments[..] else {
        return Err("expected: SKLEARN_DATA FASHION ADULT_CSV OUT".into());
    };
    digits(sklearn, out)?;
    fashion_subset(fashion, out)?;
    small_table(sklearn, "iris", "iris", &IRIS, out)?;
    small_table(sklearn, "wine_data", "wine", &WINE, out)?;
    small_table(sklearn, "breast_cancer", "breast-cancer", &breast_cancer_columns(), out)?;
    census(adult, out)
}

// ## Digits: comma-separated numbers, 64 pixels and the label in a row

fn digits(sklearn: &Path, out: &Path) -> Result<()> {
    let text = text(&sklearn.join("digits.csv.gz"))?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let row: Vec<u8> =
            line.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
        let (label, image) = row.split_last().ok_or("expected 65 numbers in a row")?;
        pixels.extend_from_slice(image);
        labels.push(*label);
    }
    let images = Idx::new(vec![labels.len(), 8, 8], pixels)?;
    pack(out, "digits-images-idx3-ubyte", &images.to_bytes())?;
    pack(out, "digits-labels-idx1-ubyte", &Idx::new(vec![labels.len()], labels)?.to_bytes())
}

// ## Fashion-MNIST: the first balanced 5,000 and 2,000

fn fashion_subset(fashion: &Path, out: &Path) -> Result<()> {
    for (part, n) in [("train", 5_000), ("t10k", 2_000)] {
        let read = |name: &str| -> Result<Idx> {
            let bytes = fs::read(fashion.join(format!("{name}.gz")))?;
            Ok(Idx::parse(name, &unpack(name, &bytes)?)?)
        };
        let images = read(&format!("{part}-images-idx3-ubyte"))?;
        let labels = read(&format!("{part}-labels-idx1-ubyte"))?;
        let rows = split::balanced(labels.data(), 10, n);
        let pixels: Vec<&[u8]> =
            rows.iter().map(|&row| &images.data()[784 * row..784 * (row + 1)]).collect();
        let images = Idx::new(vec![rows.len(), 28, 28], pixels.concat())?;
        pack(out, &format!("fashion-{part}-images-idx3-ubyte"), &images.to_bytes())?;
        let labels = rows.iter().map(|&row| labels.data()[row]).collect();
        let labels = Idx::new(vec![rows.len()], labels)?;
        pack(out, &format!("fashion-{part}-labels-idx1-ubyte"), &labels.to_bytes())?;
    }
    Ok(())
}

// ## Small tables: their first line is "rows,columns,class names", the last number the class

const IRIS: [&str; 4] = ["sepal length", "sepal width", "petal length", "petal width"];

const WINE: [&str; 13] = [
    "alcohol",
    "malic acid",
    "ash",
    "alcalinity of ash",
    "magnesium",
    "total phenols",
    "flavanoids",
    "nonflavanoid phenols",
    "proanthocyanins",
    "color intensity",
    "hue",
    "od280/od315 of diluted wines",
    "proline",
];

/// Mean, standard error and worst of each of ten measures.
fn breast_cancer_columns() -> Vec<String> {
    let measures = [
        "radius",
        "texture",
        "perimeter",
        "area",
        "smoothness",
        "compactness",
        "concavity",
        "concave points",
        "symmetry",
        "fractal dimension",
    ];
    let mut columns = Vec::new();
    for form in ["mean", "error", "worst"] {
        columns.extend(measures.iter().map(|measure| format!("{measure} ({form})")));
    }
    columns
}

fn small_table<S: AsRef<str>>(
    sklearn: &Path,
    file: &str,
    name: &str,
    columns: &[S],
    out: &Path,
) -> Result<()> {
    let text = text(&sklearn.join(format!("{file}.csv")))?;
    let mut lines = text.lines();
    let classes: Vec<&str> = lines.next().ok_or("expected a first line")?.split(',').collect();
    let header = columns.iter().map(|column| format!("{},", column.as_ref()));
    let mut table = header.collect::<String>() + "class\n";
    for line in lines {
        let (numbers, class) = line.rsplit_once(',').ok_or("expected a class at the end")?;
        let class: usize = class.parse()?;
        table += &format!("{numbers},{}\n", classes[2 + class]);
    }
    pack(out, &format!("{name}.csv"), table.as_bytes())
}

// ## Census: as it is, lines ended by a newline alone

fn census(adult: &Path, out: &Path) -> Result<()> {
    let text = text(adult)?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let table: String = lines.flat_map(|line| [line, "\n"]).collect();
    pack(out, "census.csv", table.as_bytes())
}

fn text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8(unpack(&path.display().to_string(), &bytes)?.into_owned())?)
}

/// Packs without a name or a time in the header, so that the same content gives the same file.
fn pack(out: &Path, name: &str, content: &[u8]) -> Result<()> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(content)?;
    let packed = gzip.finish()?;
    let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{name}.gz {} -> {} bytes, sha256 of the content {hash}", content.len(), packed.len());
    Ok(fs::write(out.join(format!("{name}.gz")), packed)?)
}
