//! Lines of bounded length out of a stream of any length.

use std::io::{BufRead, Result};

/// What came next in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A line; it is in the buffer, without its end.
    Whole,
    /// A line longer than allowed; it has been skipped, and this was its length.
    TooLong(u64),
    /// There is none.
    End,
}

/// Reads the next line into `buffer`, which never holds more than `limit` bytes.
pub(super) fn next(stream: &mut impl BufRead, limit: usize, buffer: &mut Vec<u8>) -> Result<Line> {
    buffer.clear();
    let mut length = 0_u64;
    let mut any = false;
    loop {
        let bytes = match stream.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            break;
        }
        any = true;
        let end = bytes.iter().position(|&b| b == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        length += part.len() as u64;
        if length <= limit as u64 {
            buffer.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        stream.consume(used);
        if end.is_some() {
            break;
        }
    }
    if !any {
        return Ok(Line::End);
    }
    if length > limit as u64 {
        buffer.clear();
        return Ok(Line::TooLong(length));
    }
    if buffer.last() == Some(&b'\r') {
        buffer.pop();
    }
    Ok(Line::Whole)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the size of the stream's own buffer, lines are those of a split.
        #[test]
        fn lines_are_those_of_a_split(text in "[ab\n]{0,60}", limit in 0_usize..8, size in 1_usize..9) {
            let mut stream = BufReader::with_capacity(size, text.as_bytes());
            let mut buffer = Vec::new();
            let mut expected: Vec<&str> = text.split('\n').collect();
            if expected.last() == Some(&"") {
                expected.pop();
            }
            for line in expected {
                let got = next(&mut stream, limit, &mut buffer).unwrap();
                if line.len() > limit {
                    prop_assert_eq!(got, Line::TooLong(line.len() as u64));
                } else {
                    prop_assert_eq!(got, Line::Whole);
                    prop_assert_eq!(buffer.as_slice(), line.as_bytes());
                }
                prop_assert!(buffer.len() <= limit);
            }
            prop_assert_eq!(next(&mut stream, limit, &mut buffer).unwrap(), Line::End);
        }
    }
}
