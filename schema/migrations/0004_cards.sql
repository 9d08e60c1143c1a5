-- Confirm cards (docs/consensus.md): a lease may carry a model's guess, and an answer keeps what its volunteer had seen.

ALTER TABLE task ADD COLUMN guess_id INTEGER REFERENCES taxon(id);       -- the guess on the card; NULL: a blind survey
ALTER TABLE task ADD COLUMN guess_model_id INTEGER REFERENCES model(id); -- whose guess

-- The guess says more than the one word that stood here.
ALTER TABLE classification DROP COLUMN shown;
ALTER TABLE classification ADD COLUMN guess_id INTEGER REFERENCES taxon(id); -- as the task's; an answer that names it is a yes
ALTER TABLE classification ADD COLUMN guess_model_id INTEGER REFERENCES model(id);
ALTER TABLE classification ADD COLUMN told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)); -- 1: the reply told the model's opinion
-- 1: the volunteer knew what the model thinks when they should not have: never counted, in no refit either
ALTER TABLE classification ADD COLUMN stained INTEGER NOT NULL DEFAULT 0 CHECK (stained IN (0, 1));
CREATE INDEX classification_of_card ON classification (project_id) WHERE guess_id IS NOT NULL;

-- What cards on planted gold have shown (derived, as of the last remix): guesses by whether they were right, and the yes
-- that each kind got.
CREATE TABLE confirm (
  project_id  INTEGER PRIMARY KEY REFERENCES project(id),
  n_right     INTEGER NOT NULL,
  n_yes_right INTEGER NOT NULL,
  n_wrong     INTEGER NOT NULL,
  n_yes_wrong INTEGER NOT NULL
) STRICT;

-- How far down the queue a volunteer has seen everything (derived): a search goes on from here instead of from the top, where
-- it would pass over all that they have answered and others have not decided yet.
CREATE TABLE task_cursor (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  expert       INTEGER NOT NULL CHECK (expert IN (0, 1)),
  priority     REAL NOT NULL,                     -- the last subject passed over, by its place in the queue
  subject_id   INTEGER NOT NULL,
  at_ms        INTEGER NOT NULL,                  -- when a search from the top came there
  PRIMARY KEY (project_id, volunteer_id, expert)
) STRICT, WITHOUT ROWID;
