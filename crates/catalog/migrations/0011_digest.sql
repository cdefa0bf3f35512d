-- The digest: who gets it, what each issue brought, and the mail that carries it.

-- One for each address. A row is gone when somebody unsubscribes; an address that was never confirmed
-- goes after two days.
CREATE TABLE subscriptions (
    created_at   BIGINT NOT NULL,
    -- When the address last got a mail because somebody asked to subscribe it.
    asked_at     BIGINT NOT NULL,
    -- Null until the link of that mail is used: nothing else is sent before.
    confirmed_at BIGINT,
    -- When the next issue is due; null if none is, because of what stands in the columns around.
    next_at      BIGINT,
    -- Since when nothing is sent any more because the server refused too many issues.
    suspended_at BIGINT,
    -- Issues in a row that could not be delivered.
    failures     BIGINT NOT NULL DEFAULT 0,
    -- Whether the administrators have been told of the suspension: 0 or 1.
    told         BIGINT NOT NULL DEFAULT 0,
    -- The hour of the day in the zone, 0 to 23.
    hour         BIGINT NOT NULL,
    min_votes    BIGINT NOT NULL,
    -- Most papers of an issue.
    most         BIGINT NOT NULL,
    -- Whether an issue without papers is sent: 0 or 1.
    send_empty   BIGINT NOT NULL,
    -- Random; links are signed with it.
    id           BIGINT NOT NULL,
    -- `every-day`, `weekdays`, or the day of the week on which it comes.
    frequency    TEXT   NOT NULL,
    -- Name in the IANA time zone database.
    zone         TEXT   NOT NULL,
    -- The day before which nothing is sent.
    paused_until TEXT,
    email        TEXT   NOT NULL,
    -- A search; empty for all papers.
    query        TEXT   NOT NULL,
    CONSTRAINT subscriptions_pk       PRIMARY KEY (id),
    CONSTRAINT subscriptions_email_uq UNIQUE (email)
);
-- What is due.
CREATE INDEX subscriptions_next_idx ON subscriptions (next_at) WHERE next_at IS NOT NULL;
-- What nobody confirmed.
CREATE INDEX subscriptions_open_idx ON subscriptions (asked_at) WHERE confirmed_at IS NULL;
-- What administrators look at.
CREATE INDEX subscriptions_suspended_idx ON subscriptions (suspended_at) WHERE suspended_at IS NOT NULL;

-- One for each subscription and day on which an issue was due. An issue with papers has a mail of the
-- same number.
CREATE TABLE issues (
    due_at       BIGINT NOT NULL,
    composed_at  BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    subscription BIGINT NOT NULL,
    -- The day in the subscriber's zone.
    day          TEXT   NOT NULL,
    -- Ids of papers, one a line: what is never sent to that subscriber again.
    papers       TEXT   NOT NULL,
    -- Why there are none.
    reason       TEXT,
    CONSTRAINT issues_pk              PRIMARY KEY (id),
    -- One a day, whatever happens to the clock.
    CONSTRAINT issues_day_uq          UNIQUE (subscription, day),
    CONSTRAINT issues_subscription_fk FOREIGN KEY (subscription) REFERENCES subscriptions (id) ON DELETE CASCADE
);
-- What is old enough to be forgotten.
CREATE INDEX issues_due_idx ON issues (due_at);

-- With what links are signed.
CREATE TABLE signing_keys (
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT signing_keys_pk PRIMARY KEY (name)
);

-- Mail to many waits behind mail that somebody is waiting for: 0 or 1.
ALTER TABLE mails ADD COLUMN bulk BIGINT NOT NULL DEFAULT 0;
-- When it was accepted or given up.
ALTER TABLE mails ADD COLUMN ended_at BIGINT;
CREATE INDEX mails_next_idx ON mails (bulk, due_at, id) WHERE state IN ('waiting', 'claimed');
-- gone: mails_due_idx
DROP INDEX mails_due_idx;
-- What is old enough to be forgotten.
CREATE INDEX mails_ended_idx ON mails (ended_at) WHERE ended_at IS NOT NULL;
-- The mails of an address, which go with it.
CREATE INDEX mails_recipient_idx ON mails (recipient);
