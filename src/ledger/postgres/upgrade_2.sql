-- Turns the tables of version 2 into those of version 3.

BEGIN;
SELECT value FROM meta WHERE name = 'gate' FOR UPDATE;

ALTER TABLE runs ADD granted bigint NOT NULL DEFAULT 0, ADD stop text, ADD stop_until int;
ALTER TABLE starts DROP is_limited;
ALTER TABLE beats ADD verdicts int NOT NULL DEFAULT 0, ADD body text,
    ADD room bigint NOT NULL DEFAULT 0, ADD unused bigint NOT NULL DEFAULT 0,
    ADD wish bigint NOT NULL DEFAULT 0;
CREATE TABLE pace (
    account bytea PRIMARY KEY,
    next_slot timestamptz NOT NULL DEFAULT 'epoch',
    paused_until timestamptz NOT NULL DEFAULT 'epoch',
    down_since timestamptz,
    stop text,
    stop_until int
) WITH (fillfactor = 10);

UPDATE meta SET value = '3' WHERE name = 'schema';
COMMIT;
