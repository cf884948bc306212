-- The tables of a shared ledger. Facts (intents, settlements, voids, orphans) are only ever added.
-- A number of an attempt is start << 32 | n, so the attempts of a start are a range of the key.

CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL) WITH (fillfactor = 50);

CREATE TABLE runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint bytea NOT NULL,
    columns text NOT NULL,
    lineage bytea NOT NULL,
    label text NOT NULL,
    account bytea NOT NULL,
    input_rows bigint NOT NULL,
    created_at bigint NOT NULL,
    answers_since bigint NOT NULL,
    reask_since bigint NOT NULL,
    superseded bigint,
    state text NOT NULL DEFAULT 'open',
    ended_at bigint,
    exit smallint,
    -- The start that finished the run, and where it wrote the output (masked).
    ended_by int,
    output text,
    -- Number of charges that are used, or given to living starts as room.
    granted bigint NOT NULL DEFAULT 0,
    -- Reason to stop that a worker has found, for all starts up to this number.
    stop text,
    stop_until int
) WITH (fillfactor = 50);
CREATE INDEX ON runs (fingerprint);

CREATE TABLE starts (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL,
    account bytea NOT NULL,
    host text NOT NULL,
    began_at bigint NOT NULL,
    -- Rises when the start is declared dead, so that its later batches are noticed.
    generation int NOT NULL DEFAULT 0,
    -- Number of the latest batch, and the lowest attempt that was open then.
    batch bigint NOT NULL DEFAULT 0,
    low bigint NOT NULL DEFAULT 0,
    -- True after the worker has stopped: it takes no rows any more, and writes only if it is the
    -- last one.
    is_leaving boolean NOT NULL DEFAULT false,
    -- Flags that all workers of a run must have in common.
    rules text NOT NULL DEFAULT '',
    -- True if the worker only helps a run that somebody else began, and writes no output.
    joins boolean NOT NULL DEFAULT false,
    -- Notes, which decide nothing: what the start noted when it began, its summary, and the moment
    -- whose facts its output shows.
    settings text,
    survey text,
    version text,
    operator text,
    input_sha256 text,
    summary text,
    read_until bigint,
    ended_at bigint,
    stop text,
    exit smallint
) WITH (fillfactor = 25);
CREATE INDEX ON starts (run);

-- Signs of life, apart from the starts: a batch that waits must not stop them.
CREATE TABLE beats (
    start int PRIMARY KEY,
    -- Number of beats. Another worker that sees it unchanged for a whole lease, by its own clock,
    -- declares this one dead.
    number bigint NOT NULL DEFAULT 0,
    -- Time of the last beat, for those who look only once.
    seen_at timestamptz NOT NULL,
    lease interval NOT NULL,
    -- True after the worker was declared dead, until it beats again.
    is_dead boolean NOT NULL DEFAULT false,
    rate float8,
    left_over bigint NOT NULL DEFAULT 0,
    -- Number of verdicts of the start, which need not rise above 200.
    verdicts int NOT NULL DEFAULT 0,
    -- Body kind that an answer has proved.
    body text,
    -- Number of charges that the start may cause, the unused part of it, and the number of the
    -- wish that was fulfilled last: one that comes late is not fulfilled.
    room bigint NOT NULL DEFAULT 0,
    unused bigint NOT NULL DEFAULT 0,
    wish bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 25);

-- What all workers that use an account keep to: the next free slot of the rate, a pause, an outage
-- of the source, and a reason to stop, for all starts up to this number.
CREATE TABLE pace (
    account bytea PRIMARY KEY,
    next_slot timestamptz NOT NULL DEFAULT 'epoch',
    paused_until timestamptz NOT NULL DEFAULT 'epoch',
    down_since timestamptz,
    stop text,
    stop_until int
) WITH (fillfactor = 10);

-- One row a pair: the latest attempt and whether it is open, and the latest attempt that gave the
-- pair an end (ended, with class and time) with the one before (prior).
CREATE TABLE pairs (
    pair bytea PRIMARY KEY,
    attempt bigint NOT NULL,
    version int NOT NULL,
    open boolean NOT NULL,
    class smallint,
    ended bigint,
    at bigint,
    prior bigint
) WITH (fillfactor = 70);

CREATE TABLE intents (
    attempt bigint PRIMARY KEY,
    pair bytea NOT NULL,
    version int NOT NULL,
    record bigint NOT NULL,
    at bigint NOT NULL
);

CREATE TABLE settlements (
    attempt bigint PRIMARY KEY,
    at bigint NOT NULL,
    class smallint NOT NULL,
    charge smallint NOT NULL,
    http int,
    status text,
    result text,
    order_no text,
    handle_time text,
    remark text,
    request_id text,
    reason text,
    -- Time of the call in milliseconds.
    took int
);

CREATE TABLE voids (attempt bigint PRIMARY KEY);

-- Attempts whose start was declared dead before they were settled. A settlement that comes later
-- wins.
CREATE TABLE orphans (attempt bigint PRIMARY KEY, at bigint NOT NULL);

-- Pauses of each start. One without an end lasted until the end of its start.
CREATE TABLE pauses (
    start int, number int, kind text NOT NULL, at bigint NOT NULL, until bigint, rate float8,
    PRIMARY KEY (start, number)
);

CREATE TABLE purged_days (
    day int, class smallint, attempts bigint NOT NULL, PRIMARY KEY (day, class)
);
