-- Turns the tables of version 4 into those of version 5.

BEGIN;
SELECT value FROM meta WHERE name = 'gate' FOR UPDATE;

ALTER TABLE starts ADD settings text, ADD survey text, ADD version text, ADD operator text,
    ADD input_sha256 text, ADD summary text, ADD read_until bigint;
ALTER TABLE settlements ADD took int;
CREATE TABLE pauses (
    start int, number int, kind text NOT NULL, at bigint NOT NULL, until bigint, rate float8,
    PRIMARY KEY (start, number)
);

UPDATE meta SET value = '5' WHERE name = 'schema';
COMMIT;
