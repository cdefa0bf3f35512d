//! What an archive holds, table by table.

use super::{Column, Kind, Table};

/// Columns of one kind, in a row.
const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer }
}

const fn real(name: &'static str) -> Column {
    Column { name, kind: Kind::Real }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

/// The tables that are data, in the order in which they go into an archive and come out of it: a
/// table stands after those that its foreign keys name.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "papers",
        public: true,
        key: "id",
        only: None,
        references: &[],
        columns: &[
            text("id"),
            int("added_at"),
            int("votes"),
            int("comments"),
            real("trending"),
            int("verdict_rank"),
            int("reproduced"),
            int("partly"),
            int("not_at_this_scale"),
            int("not_tested"),
            text("slug"),
            text("listed"),
            text("dated"),
            text("published"),
            text("arxiv_id"),
            text("doi"),
            text("category"),
            text("venue"),
            text("code_url"),
            text("code_licence"),
            text("title"),
            text("authors"),
            text("title_key"),
            text("summary"),
            text("tags"),
            text("project_url"),
            int("last_comment"),
            int("revision"),
        ],
    },
    Table {
        name: "paper_authors",
        public: true,
        key: "name, paper, position",
        only: None,
        references: &[],
        columns: &[text("name"), text("paper"), int("position")],
    },
    Table {
        name: "paper_keys",
        public: true,
        key: "title_key, surname, paper",
        only: None,
        references: &[],
        columns: &[text("title_key"), text("surname"), text("paper"), int("added_at")],
    },
    Table {
        name: "records",
        public: true,
        key: "run",
        only: None,
        references: &[("slug", "papers", "slug")],
        columns: &[
            text("run"),
            text("slug"),
            text("profile"),
            text("started"),
            int("started_at"),
            int("added_at"),
            int("reproduced"),
            int("partly"),
            int("not_at_this_scale"),
            int("not_tested"),
            real("seconds"),
            text("reason"),
            text("record"),
        ],
    },
    Table {
        name: "runs",
        public: true,
        key: "id",
        only: None,
        references: &[("slug", "papers", "slug"), ("restart_of", "runs", "id")],
        columns: &[
            text("id"),
            text("slug"),
            text("profile"),
            text("state"),
            int("created_at"),
            int("started_at"),
            int("finished_at"),
            int("lease_until"),
            int("done"),
            int("total"),
            int("seeds"),
            int("cancel_requested"),
            text("worker"),
            text("restart_of"),
            text("error"),
        ],
    },
    Table {
        name: "run_events",
        public: true,
        key: "run, seq",
        only: None,
        references: &[("run", "runs", "id")],
        columns: &[text("run"), int("seq"), text("event")],
    },
    Table {
        name: "people",
        public: false,
        key: "id",
        only: None,
        references: &[],
        columns: &[
            int("id"),
            int("joined_at"),
            int("blocked_at"),
            text("email"),
            text("handle"),
            text("name"),
            text("role"),
            text("about"),
            int("mail_replies"),
        ],
    },
    Table {
        name: "tokens",
        public: false,
        key: "id",
        only: None,
        references: &[("person", "people", "id")],
        columns: &[
            int("id"),
            int("person"),
            int("created_at"),
            int("used_at"),
            int("expires_at"),
            text("hash"),
            text("name"),
            text("scopes"),
        ],
    },
    Table {
        name: "votes",
        public: false,
        key: "paper, person",
        only: None,
        references: &[("paper", "papers", "id"), ("person", "people", "id")],
        columns: &[text("paper"), int("person"), int("at")],
    },
    Table {
        name: "submissions",
        public: false,
        key: "id",
        only: None,
        references: &[
            ("person", "people", "id"),
            ("decided_by", "people", "id"),
            ("paper", "papers", "id"),
        ],
        columns: &[
            int("id"),
            int("created_at"),
            int("decided_at"),
            int("person"),
            int("decided_by"),
            text("state"),
            text("paper"),
            text("draft"),
            text("remark"),
            text("answer"),
        ],
    },
    Table {
        name: "comments",
        public: false,
        key: "paper, number",
        only: None,
        references: &[
            ("paper", "papers", "id"),
            ("person", "people", "id"),
            ("hidden_by", "people", "id"),
        ],
        columns: &[
            text("paper"),
            int("number"),
            int("created_at"),
            int("edited_at"),
            int("deleted_at"),
            int("hidden_at"),
            int("parent"),
            int("person"),
            int("hidden_by"),
            text("place"),
            text("hidden_reason"),
            text("text"),
        ],
    },
    Table {
        name: "comment_versions",
        public: false,
        key: "paper, number, version",
        only: None,
        references: &[("paper, number", "comments", "paper, number")],
        columns: &[text("paper"), int("number"), int("version"), int("written_at"), text("text")],
    },
    Table {
        name: "comment_mentions",
        public: false,
        key: "paper, number, person",
        only: None,
        references: &[("paper, number", "comments", "paper, number"), ("person", "people", "id")],
        columns: &[text("paper"), int("number"), int("person"), text("written")],
    },
    Table {
        name: "comment_reports",
        public: false,
        key: "paper, number, person",
        only: None,
        references: &[("paper, number", "comments", "paper, number"), ("person", "people", "id")],
        columns: &[
            text("paper"),
            int("number"),
            int("person"),
            int("at"),
            int("settled_at"),
            text("reason"),
        ],
    },
    Table {
        name: "author_claims",
        public: false,
        key: "paper, person",
        only: None,
        references: &[
            ("paper", "papers", "id"),
            ("person", "people", "id"),
            ("decided_by", "people", "id"),
        ],
        columns: &[
            text("paper"),
            int("person"),
            int("at"),
            int("decided_at"),
            int("decided_by"),
            text("state"),
            text("author"),
            text("proof"),
        ],
    },
    Table {
        name: "verdict_replies",
        public: false,
        key: "id",
        only: None,
        references: &[
            ("paper", "papers", "id"),
            ("run", "records", "run"),
            ("person", "people", "id"),
            ("hidden_by", "people", "id"),
        ],
        columns: &[
            int("id"),
            int("at"),
            int("hidden_at"),
            int("person"),
            int("hidden_by"),
            int("disputed"),
            text("paper"),
            text("run"),
            text("claim"),
            text("hidden_reason"),
            text("text"),
        ],
    },
    Table {
        name: "library",
        public: false,
        key: "person, paper",
        only: None,
        references: &[("person", "people", "id"), ("paper", "papers", "id")],
        columns: &[
            int("person"),
            text("paper"),
            int("added_at"),
            int("changed_at"),
            text("state"),
            text("note"),
        ],
    },
    Table {
        name: "library_tags",
        public: false,
        key: "person, tag, paper",
        only: None,
        references: &[("person, paper", "library", "person, paper")],
        columns: &[int("person"), text("tag"), text("paper")],
    },
    Table {
        name: "library_revisions",
        public: false,
        key: "person",
        only: None,
        references: &[("person", "people", "id")],
        columns: &[int("person"), int("revision")],
    },
    Table {
        name: "mails",
        public: false,
        key: "id",
        only: Some("secret = 0"),
        references: &[],
        columns: &[
            int("id"),
            int("created_at"),
            int("due_at"),
            int("claimed_until"),
            int("attempts"),
            int("secret"),
            int("bulk"),
            int("ended_at"),
            text("state"),
            text("kind"),
            text("recipient"),
            text("subject"),
            text("body"),
            text("answer"),
        ],
    },
    Table {
        name: "subscriptions",
        public: false,
        key: "id",
        only: None,
        references: &[],
        columns: &[
            int("id"),
            int("created_at"),
            int("asked_at"),
            int("confirmed_at"),
            int("next_at"),
            int("suspended_at"),
            int("failures"),
            int("told"),
            int("hour"),
            int("min_votes"),
            int("most"),
            int("send_empty"),
            text("frequency"),
            text("zone"),
            text("paused_until"),
            text("email"),
            text("query"),
        ],
    },
    Table {
        name: "issues",
        public: false,
        key: "id",
        only: None,
        references: &[("subscription", "subscriptions", "id")],
        columns: &[
            int("id"),
            int("subscription"),
            int("due_at"),
            int("composed_at"),
            text("day"),
            text("papers"),
            text("reason"),
        ],
    },
    Table {
        name: "signing_keys",
        public: false,
        key: "name",
        only: None,
        references: &[],
        columns: &[text("name"), text("value")],
    },
    Table {
        name: "settings",
        public: true,
        key: "name",
        only: None,
        references: &[],
        columns: &[text("name"), text("value")],
    },
    Table {
        name: "harvests",
        public: false,
        key: "source",
        only: None,
        references: &[],
        columns: &[
            text("source"),
            text("from_time"),
            text("to_time"),
            text("position"),
            text("etag"),
            text("last_modified"),
            int("changed_at"),
        ],
    },
];

/// The tables that stay behind, each with the reason.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    (
        "sessions",
        "a browser that is signed in on one machine is not on another; people sign in anew",
    ),
    (
        "sign_in_links",
        "links live for minutes, and whoever held a copy of the archive could use them",
    ),
    ("_sqlx_migrations", "the form of the database; the manifest names it as `schema`"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sqlx::{AssertSqlSafe, Executor, Row};

    use super::*;
    use crate::Catalog;

    async fn names(catalog: &Catalog, sql: String) -> Vec<String> {
        let rows = catalog.readers().fetch_all(AssertSqlSafe(sql)).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    #[tokio::test]
    async fn every_table_of_the_migrations_is_in_an_archive_or_says_why_not() {
        let catalog = Catalog::in_memory().await.unwrap();
        let sql =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let there: BTreeSet<String> = names(&catalog, sql.into()).await.into_iter().collect();
        let taken = TABLES.iter().map(|table| table.name);
        let left_out = LEFT_OUT.iter().map(|(name, reason)| {
            assert!(reason.len() > 20, "{name} needs a reason");
            *name
        });
        let decided: Vec<&str> = taken.chain(left_out).collect();
        let known: BTreeSet<String> = decided.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(there, known, "list the new table in TABLES or in LEFT_OUT");
        assert_eq!(decided.len(), known.len(), "a table stands in the lists twice");
    }

    #[tokio::test]
    async fn every_column_and_foreign_key_is_listed() {
        let catalog = Catalog::in_memory().await.unwrap();
        for (position, table) in TABLES.iter().enumerate() {
            let name = table.name;
            let columns = format!("SELECT name || ' ' || type FROM pragma_table_info('{name}')");
            let there: BTreeSet<String> = names(&catalog, columns).await.into_iter().collect();
            let listed = table.columns.iter().map(|column| {
                let kind = match column.kind {
                    Kind::Integer => "BIGINT",
                    Kind::Real => "DOUBLE PRECISION",
                    Kind::Text => "TEXT",
                };
                format!("{} {kind}", column.name)
            });
            assert_eq!(there, listed.collect(), "columns of {name}");

            let keys = format!(
                "SELECT group_concat(\"from\", ', ') || ' ' || \"table\" || ' ' || \
                 group_concat(\"to\", ', ') FROM (SELECT * FROM pragma_foreign_key_list('{name}') \
                 ORDER BY id, seq) GROUP BY id"
            );
            let there: BTreeSet<String> = names(&catalog, keys).await.into_iter().collect();
            let listed = table.references.iter().map(|(column, other, key)| {
                let place = TABLES.iter().position(|table| table.name == *other).unwrap();
                assert!(place <= position, "{name} stands before {other}, which it names");
                assert!(!table.public || TABLES[place].public, "{name} is public, {other} is not");
                format!("{column} {other} {key}")
            });
            assert_eq!(there, listed.collect(), "foreign keys of {name}");

            let key =
                format!("SELECT name FROM pragma_table_info('{name}') WHERE pk > 0 ORDER BY pk");
            assert_eq!(names(&catalog, key).await.join(", "), table.key, "key of {name}");
        }
    }
}
