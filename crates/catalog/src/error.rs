//! What can go wrong in the catalogue.

use std::path::PathBuf;

use crate::RunState;
use crate::archive::Problem;

/// An error of the catalogue; each variant carries the facts a reader needs to act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
    /// The database could not be brought to this version's form.
    #[error("migrating the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A named constraint of the database would be broken.
    #[error("{0}")]
    Constraint(Constraint),
    /// A file or folder could not be used.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No paper of the catalogue has a study of that slug.
    #[error("no paper has a study `{slug}`; expected the slug of a paper in the catalogue")]
    UnknownStudy {
        /// Slug that was asked for.
        slug: String,
    },
    /// There is no such paper.
    #[error("no paper `{paper}`")]
    UnknownPaper {
        /// Id that was asked for.
        paper: String,
    },
    /// There is no such run.
    #[error("no run `{run}`")]
    UnknownRun {
        /// Run that was asked for.
        run: String,
    },
    /// There is no such comment, or none that may be read here.
    #[error("paper `{paper}` has no comment {number}")]
    UnknownComment {
        /// The paper.
        paper: String,
        /// Number that was asked for.
        number: i64,
    },
    /// Nobody of that number claims to be an author of that paper.
    #[error("person {person} claims nothing of paper `{paper}`")]
    UnknownClaim {
        /// The paper.
        paper: String,
        /// The person.
        person: i64,
    },
    /// There is no such reply to a verdict.
    #[error("no reply {id} to a verdict")]
    UnknownReply {
        /// Number that was asked for.
        id: i64,
    },
    /// What was to be changed is not for that person to change.
    #[error("this is not theirs to change")]
    NotTheirs,
    /// Only confirmed authors of the paper may do that.
    #[error("no curator has confirmed that this person is an author of the paper")]
    NotAnAuthor,
    /// The run has ended otherwise already.
    #[error("run `{run}` is already {state}; expected one that is running")]
    RunOver {
        /// The run.
        run: String,
        /// How it stands.
        state: RunState,
    },
    /// A record was handed in for a run that it does not belong to.
    #[error("the record is of run `{record}`; expected one of run `{run}`")]
    ForeignRecord {
        /// The run that was to be finished.
        run: String,
        /// The run that the record names.
        record: String,
    },
    /// An archive cannot be taken in. The database is as it was.
    #[error("`{path}` {problem}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it; its own cause is part of its text.
        problem: Box<Problem>,
    },
    /// A value given by the caller does not have the form it must have.
    #[error("{what} `{value}` is not valid; expected {expected}")]
    Invalid {
        /// What the value stands for: "period", "sort order", "start of record".
        what: &'static str,
        /// The value.
        value: String,
        /// The form that was expected.
        expected: &'static str,
    },
    /// A stored value could not be read back.
    #[error("stored {what} of `{key}`: {message}")]
    Stored {
        /// What was read: "record", "event", "state".
        what: &'static str,
        /// Which one.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The catalogue's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! constraints {
    ($($(#[$doc:meta])* $name:ident = $sql:literal, $columns:literal, $message:literal;)*) => {
        /// The named constraints of the database that a caller's data can break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Constraint {
            $($(#[$doc])* $name,)*
        }

        impl Constraint {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the migrations.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $sql,)* }
            }

            /// The columns as SQLite lists them in its message, which does not name the constraint.
            pub(crate) fn columns(self) -> &'static str {
                match self { $(Self::$name => $columns,)* }
            }
        }

        impl std::fmt::Display for Constraint {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$name => $message,)* })
            }
        }
    };
}

constraints! {
    /// Two papers with one id.
    PaperId = "papers_pk", "papers.id", "another paper has that id";
    /// Two papers with one arXiv id.
    PaperArxiv = "papers_arxiv_id_uq", "papers.arxiv_id", "another paper has that arXiv id";
    /// Two papers with one DOI.
    PaperDoi = "papers_doi_uq", "papers.doi", "another paper has that DOI";
    /// Two papers with one study.
    PaperSlug = "papers_slug_uq", "papers.slug", "another paper has that slug";
    /// A paper without a title.
    PaperTitle = "papers_title_ck", "", "a paper needs a title";
    /// Two records of one run.
    RecordRun = "records_pk", "records.run", "that run has a record already";
    /// A record of a study that no paper has.
    RecordSlug = "records_slug_fk", "", "no paper has a study of that slug";
    /// Two runs with one id.
    RunId = "runs_pk", "runs.id", "another run has that id";
    /// A run of a study that no paper has.
    RunSlug = "runs_slug_fk", "", "no paper has a study of that slug";
    /// A restart of a run that does not exist.
    RunRestartOf = "runs_restart_of_fk", "", "the run to be restarted does not exist";
    /// Two people with one address.
    PersonEmail = "people_email_uq", "people.email", "somebody has that address";
    /// Two people with one short name.
    PersonHandle = "people_handle_uq", "people.handle", "somebody has that short name already";
    /// An event of a run that does not exist.
    EventRun = "run_events_run_fk", "", "no such run";
}
