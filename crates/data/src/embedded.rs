//! The files that are part of the program.

/// A file as it stands in `assets/`, packed with gzip.
pub(crate) struct File {
    /// Name of the unpacked file.
    pub name: &'static str,
    /// SHA-256 of the unpacked file.
    pub sha256: &'static str,
    /// The packed bytes.
    pub packed: &'static [u8],
}

macro_rules! file {
    ($name:literal, $sha256:literal) => {
        File {
            name: $name,
            sha256: $sha256,
            packed: include_bytes!(concat!("../assets/", $name, ".gz")),
        }
    };
}

/// Images and labels of the handwritten digits.
pub(crate) static DIGITS: [File; 2] = [
    file!(
        "digits-images-idx3-ubyte",
        "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96"
    ),
    file!(
        "digits-labels-idx1-ubyte",
        "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad"
    ),
];

/// Training images and labels, test images and labels of the Fashion-MNIST subset.
pub(crate) static FASHION: [File; 4] = [
    file!(
        "fashion-train-images-idx3-ubyte",
        "444ed5f7ce17397f236f5eba17dd507d3f6912f04edd3e4f1701cdf82f2cc0c5"
    ),
    file!(
        "fashion-train-labels-idx1-ubyte",
        "35d691216f65485d010cc635af5574a9dc04aa5060de9be64ab6e5cb5ead38e9"
    ),
    file!(
        "fashion-t10k-images-idx3-ubyte",
        "15a92dd1e9b16ea361928086e77df4dfa890c255c00b5a8c8162c1040ce8eef1"
    ),
    file!(
        "fashion-t10k-labels-idx1-ubyte",
        "234596aeb6eb48133ec99a62541f90bc0728c9559a681f1e0638037462458f2c"
    ),
];

/// The census table.
pub(crate) static CENSUS: File =
    file!("census.csv", "c30ce1e55a965b04950321870db74c19f4aa437120a692f32e72f6a4fa31c418");
/// Fisher's irises.
pub(crate) static IRIS: File =
    file!("iris.csv", "527d9366ada00635454d7c8bb2bfb57769b591fa00d5aea9078c0be52d66e223");
/// Wines of three growers.
pub(crate) static WINE: File =
    file!("wine.csv", "e1cfc1ffe4e1fed33e0e4e85bbfd105ba4dbc3c51d1f9956fdfd806d985010b4");
/// Cells of breast masses.
pub(crate) static BREAST_CANCER: File =
    file!("breast-cancer.csv", "b8171b23f864255def1b8725573a65251725916028d44b74b94d6964c2f44ccc");

/// The files of the embedded part of a data set, by the name of its card.
pub(crate) fn files(card: &str) -> &'static [File] {
    match card {
        "digits" => &DIGITS,
        "fashion-mnist" => &FASHION,
        "census" => std::slice::from_ref(&CENSUS),
        "iris" => std::slice::from_ref(&IRIS),
        "wine" => std::slice::from_ref(&WINE),
        "breast-cancer" => std::slice::from_ref(&BREAST_CANCER),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256;
    use crate::idx::unpack;

    #[test]
    fn every_file_unpacks_to_its_pinned_content() {
        let tables = [&CENSUS, &IRIS, &WINE, &BREAST_CANCER];
        for file in DIGITS.iter().chain(&FASHION).chain(tables) {
            let bytes = unpack(file.name, file.packed).unwrap();
            assert_eq!(sha256([&*bytes]), file.sha256, "{}", file.name);
        }
    }

    #[test]
    fn the_embedded_files_stay_small() {
        let size = |files: &[File]| files.iter().map(|file| file.packed.len()).sum::<usize>();
        assert!(size(&FASHION) <= 4 << 20, "{} bytes", size(&FASHION));
        assert!(size(&DIGITS) <= 100 << 10, "{} bytes", size(&DIGITS));
        assert!(CENSUS.packed.len() <= 600 << 10, "{} bytes", CENSUS.packed.len());
    }
}
