//! The form of the database, step by step.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, Connection, SqlStr};

use crate::{Result, dialect};

/// Version, what it brings, and the statements: files of `migrations/`, embedded.
///
/// Listed by hand: sqlx's `migrate!` would add a procedural macro and its parser to the build for
/// what these lines do.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "papers", include_str!("../migrations/0001_papers.sql")),
    (2, "records", include_str!("../migrations/0002_records.sql")),
    (3, "runs", include_str!("../migrations/0003_runs.sql")),
    (4, "changes", include_str!("../migrations/0004_changes.sql")),
];

/// Brings the database to the newest form.
///
/// All steps are one transaction that takes the write lock first: of two programs that open a new
/// database at the same moment one waits for the other, and a crash in between leaves nothing.
/// (That is SQLite's way. On PostgreSQL sqlx takes an advisory lock, which holds only if no
/// transaction is around it: the lock would be given back before the commit.)
pub(crate) async fn run(connection: &mut AnyConnection) -> Result<()> {
    let migrations = MIGRATIONS.iter().map(|&(version, name, statements)| {
        let statements = SqlStr::from_static(statements);
        Migration::new(version, name.into(), MigrationType::Simple, statements, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    let mut transaction = connection.begin_with(dialect::BEGIN_WRITE).await?;
    migrator.run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use crate::Constraint;

    #[test]
    fn every_file_is_listed_and_every_constraint_is_named() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = files
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .filter(|f| f.ends_with(".sql"))
            .collect();
        names.sort();
        let listed = MIGRATIONS.iter().map(|(v, name, _)| format!("{v:04}_{name}.sql"));
        assert_eq!(names, listed.collect::<Vec<_>>());

        let all: String = MIGRATIONS.iter().map(|(_, _, text)| *text).collect();
        for constraint in Constraint::ALL {
            assert!(all.contains(&format!("CONSTRAINT {} ", constraint.name())), "{constraint:?}");
        }
        for (line, word) in all.lines().flat_map(|l| {
            let code = l.split("--").next().unwrap_or_default();
            ["PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK"].map(|w| (code, w))
        }) {
            if line.contains(word) {
                assert!(line.trim_start().starts_with("CONSTRAINT "), "unnamed: {line}");
            }
        }
    }
}
