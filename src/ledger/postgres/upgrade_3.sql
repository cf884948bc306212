-- Turns the tables of version 3 into those of version 4.

BEGIN;
SELECT value FROM meta WHERE name = 'gate' FOR UPDATE;

ALTER TABLE starts ADD joins boolean NOT NULL DEFAULT false;

INSERT INTO meta VALUES ('ledger_id', gen_random_uuid());
UPDATE meta SET value = '4' WHERE name = 'schema';
COMMIT;
