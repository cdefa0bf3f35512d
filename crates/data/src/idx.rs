//! The IDX format in which MNIST-like sets are published.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::{Error, Result};

/// Nothing this crate reads unpacks to more; whatever does is damaged or hostile.
const LARGEST_FILE: u64 = 256 << 20;

/// Bytes with dimensions: the unsigned-byte kind of an IDX file.
///
/// ```text
/// 00 00 08 D | size_1 .. size_D, 4 bytes each, big endian | size_1 * .. * size_D bytes
/// ```
///
/// # Shapes
/// - images: `[count, height, width]`, labels: `[count]`
///
/// # Source
/// The format is the one of the MNIST files; Fashion-MNIST uses the same.
///
/// # Example
/// ```
/// use pressrun_data::idx::Idx;
///
/// let labels = Idx::new(vec![3], vec![7, 0, 9])?;
/// let again = Idx::parse("labels", &labels.to_bytes())?;
/// assert_eq!(again.data(), [7, 0, 9]);
///
/// let cut = Idx::parse("labels", &labels.to_bytes()[..10]).unwrap_err();
/// assert_eq!(cut.to_string(), "`labels`, byte 8: expected 3 bytes of data, found 2 bytes");
/// # Ok::<(), pressrun_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    sizes: Vec<usize>,
    data: Vec<u8>,
}

impl Idx {
    /// Puts sizes and data together.
    ///
    /// # Errors
    /// If there are no or more than 255 sizes, one does not fit into 32 bits, or their product is
    /// not the length of `data`.
    pub fn new(sizes: Vec<usize>, data: Vec<u8>) -> Result<Self> {
        if sizes.is_empty() || sizes.len() > 255 {
            let expected = "1 to 255 of them".into();
            return Err(Error::Shape { what: "sizes", expected, found: sizes.len() });
        }
        if let Some(&found) = sizes.iter().find(|&&size| u32::try_from(size).is_err()) {
            return Err(Error::Shape { what: "size", expected: "at most 32 bits".into(), found });
        }
        if product(&sizes) != Some(data.len()) {
            let expected = format!("{sizes:?} multiplied");
            return Err(Error::Shape { what: "bytes of data", expected, found: data.len() });
        }
        Ok(Self { sizes, data })
    }

    /// Reads an unpacked IDX file; `file` is its name in errors.
    ///
    /// # Errors
    /// [`Error::Idx`] with the offset of the first byte that is not as it should be: a wrong magic
    /// number, another element type, a header that is cut off, too few or too many bytes of data.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self> {
        let wrong = |offset: usize, expected: String, found: String| Error::Idx {
            file: file.to_owned(),
            offset,
            expected,
            found,
        };
        let Some((magic, rest)) = bytes.split_first_chunk::<4>() else {
            let found = format!("a file of {} bytes", bytes.len());
            return Err(wrong(0, "4 bytes of magic number".into(), found));
        };
        let [0, 0, kind, dimensions] = *magic else {
            let found = format!("`{:02x} {:02x}`", magic[0], magic[1]);
            return Err(wrong(0, "the magic number's `00 00`".into(), found));
        };
        if kind != 8 {
            let found = format!("`{kind:02x}`");
            return Err(wrong(2, "type `08` (unsigned bytes)".into(), found));
        }
        if dimensions == 0 {
            return Err(wrong(3, "at least 1 dimension".into(), "`0`".into()));
        }
        let header = 4 * usize::from(dimensions);
        let Some((sizes, data)) = rest.split_at_checked(header) else {
            let expected = format!("{dimensions} sizes of 4 bytes each");
            return Err(wrong(4, expected, format!("{} bytes", rest.len())));
        };
        let sizes: Vec<usize> = sizes
            .chunks_exact(4)
            .map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize)
            .collect();
        let Some(expected) = product(&sizes) else {
            let found = format!("{sizes:?}");
            return Err(wrong(4, "sizes whose product can be addressed".into(), found));
        };
        if data.len() != expected {
            let found = format!("{} bytes", data.len());
            return Err(wrong(4 + header, format!("{expected} bytes of data"), found));
        }
        Ok(Self { sizes, data: data.to_vec() })
    }

    /// Size along each dimension.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// All bytes, last dimension fastest.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The file's bytes, unpacked.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + 4 * self.sizes.len() + self.data.len());
        bytes.extend([0, 0, 8, self.sizes.len() as u8]);
        for &size in &self.sizes {
            bytes.extend((size as u32).to_be_bytes());
        }
        bytes.extend(&self.data);
        bytes
    }

    /// The same file, after a check that it holds labels below `classes`.
    pub(crate) fn expect_labels(self, file: &str, classes: usize) -> Result<Self> {
        self.expect_dimensions(file, "1 dimension (labels)", 1)?;
        if let Some(at) = self.data.iter().position(|&label| usize::from(label) >= classes) {
            return Err(Error::Idx {
                file: file.to_owned(),
                offset: 8 + at,
                expected: format!("a label from 0 to {}", classes - 1),
                found: format!("`{}`", self.data[at]),
            });
        }
        Ok(self)
    }

    /// The same file, after a check that it holds `count` images of `height` x `width`.
    pub(crate) fn expect_images(
        self,
        file: &str,
        [count, height, width]: [usize; 3],
    ) -> Result<Self> {
        self.expect_dimensions(file, "3 dimensions (images)", 3)?;
        let wanted = [(count, "images, one a label"), (height, "rows"), (width, "columns")];
        for (at, (size, what)) in wanted.into_iter().enumerate() {
            if self.sizes[at] != size {
                return Err(Error::Idx {
                    file: file.to_owned(),
                    offset: 4 + 4 * at,
                    expected: format!("{size} {what}"),
                    found: format!("`{}`", self.sizes[at]),
                });
            }
        }
        Ok(self)
    }

    fn expect_dimensions(&self, file: &str, expected: &str, dimensions: usize) -> Result<()> {
        if self.sizes.len() == dimensions {
            return Ok(());
        }
        Err(Error::Idx {
            file: file.to_owned(),
            offset: 3,
            expected: expected.to_owned(),
            found: format!("`{}`", self.sizes.len()),
        })
    }
}

fn product(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// The content of a file that may be packed with gzip: its first bytes tell, not its name.
///
/// # Errors
/// [`Error::Gzip`] if it is packed and damaged, cut off, or larger than any data set here.
///
/// # Example
/// ```
/// assert_eq!(*pressrun_data::idx::unpack("plain", b"as it is")?, *b"as it is");
/// assert!(pressrun_data::idx::unpack("cut", b"\x1f\x8b\x08").is_err());
/// # Ok::<(), pressrun_data::Error>(())
/// ```
pub fn unpack<'a>(file: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes).take(LARGEST_FILE + 1).read_to_end(&mut unpacked);
    let failure = match read {
        Err(source) => Some(source),
        Ok(_) if unpacked.len() as u64 > LARGEST_FILE => {
            Some(std::io::Error::other(format!("larger than {LARGEST_FILE} bytes")))
        }
        Ok(_) => None,
    };
    match failure {
        None => Ok(Cow::Owned(unpacked)),
        Some(source) => {
            Err(Error::Gzip { file: file.to_owned(), unpacked: unpacked.len(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn message(bytes: &[u8]) -> String {
        Idx::parse("f", bytes).unwrap_err().to_string()
    }

    #[test]
    fn each_fault_is_named_with_its_offset() {
        let cases: [(&[u8], &str); 7] = [
            (&[0, 0], "`f`, byte 0: expected 4 bytes of magic number, found a file of 2 bytes"),
            (&[1, 0, 8, 1], "`f`, byte 0: expected the magic number's `00 00`, found `01 00`"),
            (
                &[0, 0, 0x0d, 1, 0, 0, 0, 0],
                "`f`, byte 2: expected type `08` (unsigned bytes), found `0d`",
            ),
            (&[0, 0, 8, 0], "`f`, byte 3: expected at least 1 dimension, found `0`"),
            (
                &[0, 0, 8, 2, 0, 0, 0, 1],
                "`f`, byte 4: expected 2 sizes of 4 bytes each, found 4 bytes",
            ),
            (
                &[0, 0, 8, 1, 0, 0, 0, 2, 5, 5, 5],
                "`f`, byte 8: expected 2 bytes of data, found 3 bytes",
            ),
            (
                &[[0, 0, 8, 3], [255; 4], [255; 4], [255; 4]].concat(),
                "`f`, byte 4: expected sizes whose product can be addressed, \
                 found [4294967295, 4294967295, 4294967295]",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(message(bytes), expected);
        }
    }

    #[test]
    fn labels_and_dimensions_are_checked() {
        let labels = Idx::new(vec![3], vec![1, 10, 2]).unwrap();
        assert_eq!(
            labels.clone().expect_labels("l", 10).unwrap_err().to_string(),
            "`l`, byte 9: expected a label from 0 to 9, found `10`"
        );
        assert_eq!(
            labels.expect_images("l", [3, 1, 1]).unwrap_err().to_string(),
            "`l`, byte 3: expected 3 dimensions (images), found `1`"
        );
        let images = Idx::new(vec![2, 3, 4], vec![0; 24]).unwrap();
        assert_eq!(
            images.clone().expect_images("i", [5, 3, 4]).unwrap_err().to_string(),
            "`i`, byte 4: expected 5 images, one a label, found `2`"
        );
        assert_eq!(
            images.expect_images("i", [2, 3, 28]).unwrap_err().to_string(),
            "`i`, byte 12: expected 28 columns, found `4`"
        );
        assert!(Idx::new(vec![2, 2], vec![0; 3]).is_err());
        assert!(Idx::new(vec![], vec![]).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Idx::parse("f", &bytes);
            let _ = unpack("f", &bytes);
        }

        #[test]
        fn a_plausible_header_with_anything_behind_it_never_panics(
            dimensions in 0u8..5,
            rest in prop::collection::vec(0u8..3, 0..64),
        ) {
            let bytes = [&[0, 0, 8, dimensions][..], &rest].concat();
            if let Ok(idx) = Idx::parse("f", &bytes) {
                prop_assert_eq!(idx.to_bytes(), bytes);
                let _ = idx.clone().expect_labels("f", 2);
                let _ = idx.expect_images("f", [1, 2, 3]);
            }
        }

        #[test]
        fn what_is_written_is_read_again(sizes in prop::collection::vec(0usize..5, 1..5)) {
            let length = sizes.iter().product::<usize>();
            let idx = Idx::new(sizes, (0..length).map(|i| i as u8).collect()).unwrap();
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&idx.to_bytes()).unwrap();
            let packed = packed.finish().unwrap();
            let read = Idx::parse("f", &unpack("f", &packed).unwrap()).unwrap();
            prop_assert_eq!(&read, &idx);
            let cut = unpack("f", &packed[..packed.len() - 1]).unwrap_err();
            prop_assert!(cut.to_string().starts_with("`f`: cannot be unpacked"), "{}", cut);
        }
    }
}
