//! A catalogue with something in every table, and how two are compared.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pressrun_catalog::Catalog;
use pressrun_catalog::archive::Options;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};
use tempfile::TempDir;

/// Rows that no call of the catalogue would make but that its tables can hold: every kind of text,
/// null, the ends of numbers, keys in an order that is not that of insertion.
pub const ROWS: &str = r#"
INSERT INTO papers (added_at, votes, comments, trending, id, slug, dated, title, authors, title_key,
    summary, tags, revision, listed, published, arxiv_id, doi, category, venue, code_url, code_licence, project_url)
VALUES
    (9223372036854775807, 1, 0, 27.184756493627385, 'cs/0112017', 'gates', '2025-09-09',
     'Gates "that" \ open' || char(10) || '<b>', 'Ada King' || char(10) || 'Józef Łoś',
     'gates', 'Ünïcödé, 漢字, 🙂, ' || char(1) || char(8232) || char(65533), 'moe', 7,
     '2025-09-09', '2025', 'cs/0112017', '10.1000/x(y)<z>', 'cs.LG', 'ICLR', 'https://e.example', 'MIT', 'https://p.example'),
    (-9223372036854775808, 0, 3, -1e300, 'b', NULL, '', 'B', '', 'b', '', '', 8,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (0, 0, 0, 5e-324, 'B', 'experts', '', ' ', '', '', 'x', '', 9,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (1, 0, 0, 0.1, 'a third', NULL, '', 'null', '', 'null', 'NULL', '', 10,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO paper_authors (position, name, paper) VALUES (0, 'Ada King', 'cs/0112017'),
    (1, 'Józef Łoś', 'cs/0112017'), (0, 'left over', 'of a paper that is gone');
INSERT INTO paper_keys (added_at, title_key, surname, paper) VALUES (5, 'gates', 'king', 'cs/0112017'),
    (4, 'gates', '', 'cs/0112017');
INSERT INTO records (started_at, added_at, reproduced, partly, not_at_this_scale, not_tested, seconds,
    run, slug, profile, started, reason, record)
VALUES (1, 2, 1, 0, 0, 0, 0.30000000000000004, 'r0', 'gates', 'full', '2025-09-09T00:00:00Z', NULL,
    '{"schema": 1,  "spaces stay":   1e400}');
INSERT INTO runs (created_at, id, slug, profile, state, restart_of, worker, lease_until, seeds)
VALUES (9, 'z', 'gates', 'quick', 'finished', NULL, NULL, NULL, 3),
       (9, 'a', 'gates', 'quick', 'running', 'z', 'w', 11, NULL);
INSERT INTO run_events (seq, run, event) VALUES (2, 'z', '{"b":2}'), (1, 'z', '{"a":"é"}'), (1, 'a', '');
INSERT INTO people (joined_at, blocked_at, id, email, handle, name, role, about)
VALUES (1, NULL, 9223372036854775807, 'ada@example.org', 'ada', 'Ada', 'administrator', 'x'),
       (2, 3, -5, 'bob@example.org', 'bob', '', 'reader', '');
INSERT INTO sign_in_links (expires_at, hash, return_to) VALUES (1, 'linkhash', '/');
INSERT INTO sessions (created_at, seen_at, expires_at, person, hash, agent)
VALUES (1, 1, 9, -5, 'sessionhash', 'browser');
INSERT INTO tokens (created_at, id, person, hash, name, scopes) VALUES (1, 1, -5, 'tokenhash', 't', 'vote');
INSERT INTO votes (at, person, paper) VALUES (4, -5, 'cs/0112017');
INSERT INTO submissions (created_at, decided_at, id, person, decided_by, state, paper, draft, remark, answer)
VALUES (1, 2, 5, -5, 9223372036854775807, 'accepted', 'b', NULL, '', 'Yes.'),
       (1, NULL, 4, -5, NULL, 'waiting', NULL, '{"title":"Ü"}', 'please', ''),
       (1, NULL, 3, NULL, NULL, 'accepted', 'B', NULL, '', '');
INSERT INTO comments (created_at, edited_at, deleted_at, hidden_at, number, parent, person, hidden_by, paper,
    place, hidden_reason, text)
VALUES (1, 5, NULL, NULL, 1, NULL, -5, NULL, 'b', '0000001', NULL, 'One $x$ <b>' || char(10) || '🙂'),
       (2, NULL, NULL, 6, 2, 1, 9223372036854775807, -5, 'b', '00000010000002', 'rude', ''),
       (3, NULL, 7, NULL, 3, NULL, NULL, NULL, 'b', '0000003', NULL, '');
INSERT INTO comment_versions (written_at, number, version, paper, text) VALUES (1, 1, 1, 'b', 'Before');
INSERT INTO comment_mentions (number, person, paper, written) VALUES (1, 9223372036854775807, 'b', 'ada');
INSERT INTO comment_reports (at, settled_at, number, person, paper, reason) VALUES (4, NULL, 2, -5, 'b', 'x');
INSERT INTO author_claims (at, decided_at, person, decided_by, paper, state, author, proof)
VALUES (1, 2, -5, 9223372036854775807, 'cs/0112017', 'confirmed', 'Józef Łoś', '');
INSERT INTO verdict_replies (at, hidden_at, id, person, hidden_by, disputed, paper, run, claim, hidden_reason, text)
VALUES (1, NULL, 2, -5, NULL, 1, 'cs/0112017', 'r0', 'C1', NULL, 'No.');
INSERT INTO library (added_at, changed_at, person, paper, state, note)
VALUES (1, 2, -5, 'b', 'later', 'A note' || char(10) || '🙂'), (1, 1, -5, 'B', 'not-for-me', '');
INSERT INTO library_tags (person, tag, paper) VALUES (-5, 'gates', 'b'), (-5, 'ünïcödé', 'b');
INSERT INTO library_revisions (person, revision) VALUES (-5, 3);
INSERT INTO mails (created_at, due_at, secret, id, state, kind, recipient, subject, body, answer)
VALUES (1, 2, 0, 1, 'waiting', 'news', 'bob@example.org', 'S', 'body', NULL),
       (1, 2, 1, 2, 'waiting', 'sign-in', 'bob@example.org', 'S', 'secret link', NULL);
INSERT INTO subscriptions (created_at, asked_at, confirmed_at, next_at, suspended_at, failures, told, hour,
    min_votes, most, send_empty, id, frequency, zone, paused_until, email, query)
VALUES (1, 2, 3, 4, NULL, 0, 0, 7, 5, 12, 1, 77, 'weekdays', 'Europe/Vienna', '2026-12-24', 'eve@example.org',
        'author:"Józef Łoś"'),
       (1, 2, NULL, NULL, 5, 3, 1, 0, 0, 50, 0, -78, 'sunday', 'UTC', NULL, 'bob@example.org', '');
INSERT INTO issues (due_at, composed_at, id, subscription, day, papers, reason)
VALUES (1, 2, 79, 77, '2026-11-26', 'cs/0112017' || char(10) || 'b', NULL), (1, 2, 80, 77, '2026-11-27', '', 'all-had');
INSERT INTO signing_keys (name, value) VALUES ('digest', 'a key');
INSERT INTO settings (name, value) VALUES ('trending', '48');
INSERT INTO harvests (source, position, changed_at) VALUES ('arxiv:cs.LG', 'page 2', 6);
"#;

/// A catalogue in a folder of its own.
pub struct Site {
    pub folder: TempDir,
    pub catalog: Catalog,
}

impl Site {
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).await.unwrap();
        Self { folder, catalog }
    }

    pub async fn full() -> Self {
        let site = Self::empty().await;
        site.send(ROWS).await;
        site
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn connect(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}/pressrun.sqlite", self.folder.path().display());
        AnyConnection::connect(&url).await.unwrap()
    }

    pub async fn send(&self, statements: &str) {
        let mut connection = self.connect().await;
        connection.execute(AssertSqlSafe(statements.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }

    /// An archive of all of it, always of the same moment.
    pub async fn archive(&self, name: &str) -> PathBuf {
        let file = self.file(name);
        self.catalog.export_to(&file, &options()).await.unwrap();
        file
    }
}

pub fn options() -> Options {
    let written = Timestamp::from_second(1_757_376_000).unwrap();
    Options { written, ..Options::new("0.1.0") }
}

/// What stays behind, as conditions.
fn taken(table: &str) -> &'static str {
    match table {
        "sessions" | "sign_in_links" => "0",
        "mails" => "secret = 0",
        _ => "1",
    }
}

/// Compares every row of every table, by the database's own means.
pub async fn assert_same(one: &Site, other: &Path) {
    let mut connection = one.connect().await;
    let attach = format!("ATTACH DATABASE '{}/pressrun.sqlite' AS other", other.display());
    connection.execute(AssertSqlSafe(attach)).await.unwrap();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' \
        ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY 1";
    let tables = connection.fetch_all(tables).await.unwrap();
    assert!(tables.len() > 12);
    for table in tables {
        let name: String = table.get(0);
        let only = taken(&name);
        for sql in [
            format!("SELECT * FROM main.{name} WHERE {only} EXCEPT SELECT * FROM other.{name}"),
            format!("SELECT * FROM other.{name} EXCEPT SELECT * FROM main.{name} WHERE {only}"),
        ] {
            let sql = format!("SELECT COUNT(*) FROM ({sql})");
            let row = connection.fetch_one(AssertSqlSafe(sql)).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), 0, "rows of {name} differ");
        }
        let sql = format!("SELECT COUNT(*) FROM other.{name}");
        let there: i64 = connection.fetch_one(AssertSqlSafe(sql)).await.unwrap().get(0);
        let sql = format!("SELECT COUNT(*) FROM main.{name} WHERE {only}");
        let here: i64 = connection.fetch_one(AssertSqlSafe(sql)).await.unwrap().get(0);
        assert_eq!(here, there, "number of rows of {name}");
    }
    connection.close().await.unwrap();
}
