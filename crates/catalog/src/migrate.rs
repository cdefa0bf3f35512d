//! The form of the database, step by step.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, SqlSafeStr};

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
    (5, "clustered", include_str!("../migrations/0005_clustered.sql")),
    (6, "people", include_str!("../migrations/0006_people.sql")),
    (7, "harvests", include_str!("../migrations/0007_harvests.sql")),
    (8, "discussion", include_str!("../migrations/0008_discussion.sql")),
    (9, "library", include_str!("../migrations/0009_library.sql")),
    (10, "submissions", include_str!("../migrations/0010_submissions.sql")),
    (11, "digest", include_str!("../migrations/0011_digest.sql")),
];

/// The number of the last step.
pub(crate) const fn newest() -> i64 {
    MIGRATIONS[MIGRATIONS.len() - 1].0
}

/// Brings the database to the newest form.
///
/// All steps are one transaction that takes the write lock first: of two programs that open a new
/// database at the same moment one waits for the other, and a crash in between leaves nothing.
/// (That is SQLite's way. On PostgreSQL sqlx takes an advisory lock, which holds only if no
/// transaction is around it: the lock would be given back before the commit.)
pub(crate) async fn run(connection: &mut AnyConnection) -> Result<()> {
    run_to(connection, MIGRATIONS.len()).await
}

/// The first so many steps.
async fn run_to(connection: &mut AnyConnection, steps: usize) -> Result<()> {
    let migrations = MIGRATIONS[..steps].iter().map(|&(version, name, statements)| {
        let statements = statements.replace("--clustered", dialect::CLUSTERED);
        let statements = AssertSqlSafe(statements).into_sql_str();
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
    use sqlx::{Connection, Executor, Row};

    use super::{MIGRATIONS, run, run_to};
    use crate::Constraint;

    #[tokio::test]
    async fn rows_survive_their_table_being_made_anew() {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect("sqlite::memory:").await.unwrap();
        run_to(&mut connection, 4).await.unwrap();
        let before = "
            INSERT INTO papers (added_at, id, dated, title, authors, title_key, summary)
                VALUES (1, 'gates', '', 'Gates', 'Ada King', 'gates', '');
            INSERT INTO paper_authors VALUES (0, 'Ada King', 'gates'), (1, 'Max Born', 'gates');
            INSERT INTO paper_keys VALUES (7, 'gates', 'king', 'gates');";
        connection.execute(before).await.unwrap();
        run(&mut connection).await.unwrap();
        let text = "SELECT position || name || paper FROM paper_authors
            UNION ALL SELECT added_at || title_key || surname || paper FROM paper_keys ORDER BY 1";
        let rows = connection.fetch_all(text).await.unwrap();
        let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(rows, ["0Ada Kinggates", "1Max Borngates", "7gateskinggates"]);
        // A second time nothing happens.
        run(&mut connection).await.unwrap();
    }

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
