//! Statements of many rows, and values in and out of columns.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::any::AnyRow;
use sqlx::{Row, error::Error as SqlxError};

use crate::dialect;
use crate::error::Error;

/// Most values of one statement. More rows at once no longer gain anything, and the limits of the
/// databases (32,766 and 65,535) are far.
const MAX_VALUES: usize = 2048;

/// Cuts rows of so many columns into chunks, each for one statement.
///
/// A few fixed sizes mean a few texts, so that each is prepared once per connection however many
/// rows there are.
pub(crate) fn chunks<T>(mut items: &[T], columns: usize) -> impl Iterator<Item = &[T]> {
    let sizes = [256, 64, 16, 4, 1];
    std::iter::from_fn(move || {
        let fits =
            |&size: &usize| size <= items.len() && (size * columns <= MAX_VALUES || size == 1);
        let size = sizes.into_iter().find(fits)?;
        let (chunk, rest) = items.split_at(size);
        items = rest;
        Some(chunk)
    })
}

/// Placeholders of so many rows and columns, in the form of the database: `(?,?,?),(?,?,?)`.
pub(crate) fn rows(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 2 + rows * 3);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            dialect::placeholder(&mut text, row * columns + column + 1);
        }
        text.push(')');
    }
    text
}

impl From<SqlxError> for Error {
    fn from(error: SqlxError) -> Self {
        match error.as_database_error().and_then(dialect::constraint) {
            Some(constraint) => Self::Constraint(constraint),
            None => Self::Database(error),
        }
    }
}

/// Microseconds since 1970, as moments are stored.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// A stretch of time, as moments are stored.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A stored moment so long after another.
pub(crate) fn after(moment: i64, duration: Duration) -> i64 {
    moment.saturating_add(micros(duration))
}

/// These keys and then the first one again, up to a size: look-ups of few sizes stay prepared.
pub(crate) fn padded<T>(keys: &[T], size: usize) -> impl Iterator<Item = &T> {
    keys.iter().chain(keys.iter().take(1).cycle()).take(size)
}

/// A stored moment; one outside the calendar, which only a damaged file can hold, is its nearest end.
pub(crate) fn moment(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// A stored day.
pub(crate) fn day(row: &AnyRow, column: usize) -> Result<Option<Date>, SqlxError> {
    let text: Option<String> = row.try_get(column)?;
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|error: jiff::Error| SqlxError::Decode(error.into()))
}

/// A stored count.
pub(crate) fn count(row: &AnyRow, column: usize) -> Result<u32, SqlxError> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|error| SqlxError::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_their_chunks() {
        assert_eq!(rows(2, 3), "(?,?,?),(?,?,?)");
        let items: Vec<u8> = (0..151).collect();
        let sizes = |columns| chunks(&items, columns).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(4), [64, 64, 16, 4, 1, 1, 1]);
        assert_eq!(sizes(100)[..10], [16, 16, 16, 16, 16, 16, 16, 16, 16, 4]);
        assert_eq!(sizes(3000), [1; 151]);
        assert_eq!(chunks(&items, 3).flatten().copied().collect::<Vec<_>>(), items);
        assert_eq!(padded(&[7, 8, 9], 5).copied().collect::<Vec<_>>(), [7, 8, 9, 7, 7]);
        assert_eq!(padded::<u8>(&[], 5).count(), 0);
    }
}
