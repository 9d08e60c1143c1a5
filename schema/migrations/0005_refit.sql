-- The full refit of a project's skills (core/project_refit.h). A project's skills come in whole sets: the tables below hold
-- the set in force (project.refit_id) and, while a refit writes its own beside it, that one too; one update puts it in force.

-- One full refit of a project.
CREATE TABLE refit (
  id           INTEGER PRIMARY KEY,
  project_id   INTEGER NOT NULL REFERENCES project(id),
  policy_id    INTEGER NOT NULL REFERENCES policy(id), -- whose tau and kappa it decided by
  -- staging: its skills are being written, nothing has changed yet; applying: they are in force, the subjects of
  -- refit_subject wait to be decided again by them; done
  state        TEXT NOT NULL CHECK (state IN ('staging', 'applying', 'done')),
  last_id      INTEGER NOT NULL,                  -- it has learnt from the answers up to this classification
  n_answers    INTEGER NOT NULL,
  n_subjects   INTEGER NOT NULL,                  -- that have such an answer
  n_volunteers INTEGER NOT NULL,
  n_passes     INTEGER NOT NULL,
  moved        REAL NOT NULL,                     -- most that a posterior moved in the last pass
  kappa        REAL,                              -- how much sources repeat each other, by gold; NULL: not told by it
  gamma        REAL CHECK (gamma IN (0, 1)),
  n_gold_fit   INTEGER NOT NULL,                  -- certification gold that kappa was fitted on,
  n_gold_check INTEGER NOT NULL,                  -- and that it was compared with the default on:
  loss         REAL,                              -- - log P(truth) a subject, nats, by what was fitted; NULL: too little gold
  loss_default REAL,                              -- and by the default
  n_gold_sure  INTEGER NOT NULL,                  -- certification gold that answers and model would have been enough for,
  n_gold_wrong INTEGER NOT NULL,                  -- of it wrong,
  p_gold_wrong REAL NOT NULL,                     -- and how many were to be wrong: its mean risk
  n_reopened   INTEGER NOT NULL DEFAULT 0,        -- what became of subjects
  n_relabelled INTEGER NOT NULL DEFAULT 0,
  n_retired    INTEGER NOT NULL DEFAULT 0,
  started_ms   INTEGER NOT NULL,
  finished_ms  INTEGER                            -- NULL until it is done
) STRICT;
CREATE UNIQUE INDEX refit_unfinished ON refit (project_id) WHERE state <> 'done';
CREATE INDEX classification_several ON classification (subject_id) WHERE several = 1; -- a refit leaves their subjects out
CREATE INDEX refit_by_project ON refit (project_id, id);

-- Subjects that a refit may decide otherwise: each is looked at once, then its row goes.
CREATE TABLE refit_subject (
  refit_id   INTEGER NOT NULL REFERENCES refit(id),
  subject_id INTEGER NOT NULL REFERENCES subject(id),
  PRIMARY KEY (refit_id, subject_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE project ADD COLUMN refit_id INTEGER NOT NULL DEFAULT 0;        -- whose set of skills is in force; 0: none yet
ALTER TABLE label_event ADD COLUMN refit_id INTEGER REFERENCES refit(id);  -- whose skills were in force; NULL: none yet

-- The skill tables of 0001, a set a refit (0: what was learnt before the first). Columns stand as the key has them: SQLite
-- 3.40's integrity check takes the others for NULL where they do not.
CREATE TABLE skill_set (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  refit_id     INTEGER NOT NULL DEFAULT 0,
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  lambda       REAL NOT NULL,                     -- log error ratio against the pool
  prec         REAL NOT NULL,                     -- its precision
  n_credited   INTEGER NOT NULL,                  -- answers that taught
  PRIMARY KEY (project_id, refit_id, volunteer_id)
) STRICT, WITHOUT ROWID;
INSERT INTO skill_set (project_id, volunteer_id, lambda, prec, n_credited)
SELECT project_id, volunteer_id, lambda, prec, n_credited FROM skill;
DROP TABLE skill;
ALTER TABLE skill_set RENAME TO skill;

CREATE TABLE skill_cell_set (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  refit_id     INTEGER NOT NULL DEFAULT 0,
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  answer_id    INTEGER NOT NULL REFERENCES taxon(id),
  truth_id     INTEGER NOT NULL REFERENCES taxon(id),
  weight       REAL NOT NULL,                     -- answers, shared over truths by the others' posterior
  PRIMARY KEY (project_id, refit_id, volunteer_id, answer_id, truth_id)
) STRICT, WITHOUT ROWID;
INSERT INTO skill_cell_set (project_id, volunteer_id, truth_id, answer_id, weight)
SELECT project_id, volunteer_id, truth_id, answer_id, weight FROM skill_cell;
DROP TABLE skill_cell;
ALTER TABLE skill_cell_set RENAME TO skill_cell;

CREATE TABLE pool_cell_set (
  project_id INTEGER NOT NULL REFERENCES project(id),
  refit_id   INTEGER NOT NULL DEFAULT 0,
  answer_id  INTEGER NOT NULL REFERENCES taxon(id),
  truth_id   INTEGER NOT NULL REFERENCES taxon(id),
  weight     REAL NOT NULL DEFAULT 0,             -- answers, no volunteer more than 200
  p          REAL NOT NULL,                       -- P(answer | truth) as of the last remix
  PRIMARY KEY (project_id, refit_id, answer_id, truth_id)
) STRICT, WITHOUT ROWID;
INSERT INTO pool_cell_set (project_id, truth_id, answer_id, weight, p)
SELECT project_id, truth_id, answer_id, weight, p FROM pool_cell;
DROP TABLE pool_cell;
ALTER TABLE pool_cell_set RENAME TO pool_cell;
