-- People, how they sign in, what they vote for, and the mail that is waiting for them.

CREATE TABLE people (
    joined_at  BIGINT NOT NULL,
    -- Since when they may only read; null if they may write.
    blocked_at BIGINT,
    -- Random, so that it says nothing about how many there are.
    id         BIGINT NOT NULL,
    -- In lower case. Nobody but the person and the administrators sees it.
    email      TEXT   NOT NULL,
    -- The name in addresses: small letters, digits, dashes.
    handle     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    about      TEXT   NOT NULL DEFAULT '',
    CONSTRAINT people_pk        PRIMARY KEY (id),
    CONSTRAINT people_email_uq  UNIQUE (email),
    CONSTRAINT people_handle_uq UNIQUE (handle),
    CONSTRAINT people_role_ck   CHECK (role IN ('reader', 'curator', 'administrator'))
);

-- Links that sign somebody in, once. Only a hash is kept.
CREATE TABLE sign_in_links (
    expires_at BIGINT NOT NULL,
    hash       TEXT   NOT NULL,
    -- Whom it signs in; null for the set-up link of a fresh site, which asks.
    email      TEXT,
    -- The role that using it gives, where that is more than the person has.
    role       TEXT,
    -- Where on the site it leads.
    return_to  TEXT   NOT NULL,
    CONSTRAINT sign_in_links_pk PRIMARY KEY (hash)
);
CREATE INDEX sign_in_links_expires_idx ON sign_in_links (expires_at);

CREATE TABLE sessions (
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    person     BIGINT NOT NULL,
    hash       TEXT   NOT NULL,
    -- What the browser says it is, for the person to recognise it by.
    agent      TEXT   NOT NULL,
    CONSTRAINT sessions_pk        PRIMARY KEY (hash),
    CONSTRAINT sessions_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE
);
CREATE INDEX sessions_person_idx ON sessions (person);
CREATE INDEX sessions_expires_idx ON sessions (expires_at);

-- What programs sign in with.
CREATE TABLE tokens (
    created_at BIGINT NOT NULL,
    used_at    BIGINT,
    expires_at BIGINT,
    id         BIGINT NOT NULL,
    person     BIGINT NOT NULL,
    hash       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    -- Names with spaces between them.
    scopes     TEXT   NOT NULL,
    CONSTRAINT tokens_pk        PRIMARY KEY (id),
    CONSTRAINT tokens_hash_uq   UNIQUE (hash),
    CONSTRAINT tokens_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE
);
CREATE INDEX tokens_person_idx ON tokens (person);

-- One for each person and paper. papers.votes and papers.trending are made of these.
CREATE TABLE votes (
    at     BIGINT NOT NULL,
    person BIGINT NOT NULL,
    paper  TEXT   NOT NULL,
    CONSTRAINT votes_pk        PRIMARY KEY (paper, person),
    CONSTRAINT votes_paper_fk  FOREIGN KEY (paper) REFERENCES papers (id) ON DELETE CASCADE,
    CONSTRAINT votes_person_fk FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE
) --clustered
;
CREATE INDEX votes_person_idx ON votes (person, at DESC, paper);

-- Mail on its way. What is sent or given up keeps its row, without what it said if that was secret.
CREATE TABLE mails (
    created_at BIGINT NOT NULL,
    -- When it is tried next.
    due_at     BIGINT NOT NULL,
    -- Until when a sender has it.
    claimed_until BIGINT,
    attempts   BIGINT NOT NULL DEFAULT 0,
    -- Whether its text is removed once it is sent: 0 or 1.
    secret     BIGINT NOT NULL,
    id         BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    recipient  TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    -- What the server, or the disk, answered last.
    answer     TEXT,
    CONSTRAINT mails_pk       PRIMARY KEY (id),
    CONSTRAINT mails_state_ck CHECK (state IN ('waiting', 'claimed', 'accepted', 'failed'))
);
-- What is to be sent, the longest due first.
CREATE INDEX mails_due_idx ON mails (due_at, id) WHERE state IN ('waiting', 'claimed');

-- What was set and has left traces in the data.
CREATE TABLE settings (
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT settings_pk PRIMARY KEY (name)
);
