-- How far volunteers' own habits are told apart from everybody's, as a refit has it from the answers (docs/consensus.md, 19a).
ALTER TABLE refit ADD COLUMN own_prior REAL NOT NULL DEFAULT 30; -- prior answers behind each row of a volunteer's own matrix
