//! What can be wrong with an archive.

/// Why an archive cannot be taken in. Nothing of it is in the database then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It cannot be read on: broken off, or changed since it was written.
    #[error("cannot be read on ({0}); is it whole?")]
    Unreadable(#[source] std::io::Error),
    /// It does not begin as an archive does.
    #[error("is not an archive of Pressrun; expected a file that `pressrun export` has written")]
    NotAnArchive,
    /// Its form is newer than this program.
    #[error(
        "has form {form} of archives and form {schema} of the database (written by Pressrun \
         {program}); this program reads up to {ours} and {our_schema}: use a newer one"
    )]
    Newer {
        /// Form of the archive.
        form: u32,
        /// Form of the database it was made from.
        schema: i64,
        /// The version that wrote it.
        program: String,
        /// The newest form that this program reads.
        ours: u32,
        /// The form of this program's database.
        our_schema: i64,
    },
    /// Its list of contents cannot be read.
    #[error("`{part}`: {message}")]
    List {
        /// The file in the archive.
        part: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A file stands where another one has to, or one is missing.
    #[error("holds `{found}` where {expected} was expected")]
    Unexpected {
        /// What is there.
        found: String,
        /// What has to be.
        expected: String,
    },
    /// A file is not as it was when the archive was written.
    #[error("`{part}` is not as it was written: {what} {found}, expected {expected}")]
    Changed {
        /// The file in the archive.
        part: String,
        /// What differs: "checksum", "rows", "bytes".
        what: &'static str,
        /// As it is.
        found: String,
        /// As the archive's own list says.
        expected: String,
    },
    /// A row that cannot be one of its table.
    #[error("`{part}`, line {line}: {message}")]
    Row {
        /// The file in the archive.
        part: String,
        /// Line in it, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// Rows that the database refuses.
    #[error("`{part}`, {}: the database refuses it: {message}", span(*first, *last))]
    Refused {
        /// The file in the archive.
        part: String,
        /// First line of those that were stored together.
        first: u64,
        /// Last line of them.
        last: u64,
        /// What the database says.
        message: String,
    },
    /// Rows name others that are not there.
    #[error(
        "names rows of `{other}` that it does not have: `{columns}` = `{value}` in `{table}`; such rows: {rows}"
    )]
    Dangling {
        /// Their table.
        table: &'static str,
        /// The columns that name another row.
        columns: &'static str,
        /// The table of the other row.
        other: &'static str,
        /// The first value of which there is no row.
        value: String,
        /// How many rows.
        rows: i64,
    },
    /// It is longer than allowed once it is unpacked.
    #[error("is more than {most} bytes, unpacked")]
    TooLong {
        /// The most that is read.
        most: u64,
    },
    /// The database holds data already.
    #[error("is for an empty database; rows in `{table}` of this one: {rows}")]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
        /// How many.
        rows: i64,
    },
}

fn span(first: u64, last: u64) -> String {
    if first == last { format!("line {first}") } else { format!("lines {first} to {last}") }
}
