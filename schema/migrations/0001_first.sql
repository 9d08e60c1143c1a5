-- topi's first schema. Times are Unix milliseconds in UTC (_ms), angles degrees (_deg), probabilities 0..1 (p_).
-- Everything about a subject but its frames and its classifications can be rebuilt from classifications, predictions
-- and gold; what is derived is said so.

-- Facts of this data directory: 'secret' (hex; keys every draw and signed cookie), 'created_ms'.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- A person who answers, signed up or not. An anonymous one has no name; deleting one's data empties name and password.
CREATE TABLE volunteer (
  id            INTEGER PRIMARY KEY,
  name          TEXT UNIQUE,                      -- login and shown name; NULL while anonymous
  password_hash TEXT,                             -- argon2id, libsodium's string form; NULL: cannot log in
  is_admin      INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1)), -- may do everything in every project
  merged_into   INTEGER REFERENCES volunteer(id), -- an anonymous row that an account has claimed
  created_ms    INTEGER NOT NULL
) STRICT;

-- A browser that has been seen: a random 256-bit cookie, stored hashed.
CREATE TABLE session (
  token_hash   BLOB PRIMARY KEY CHECK (length(token_hash) = 32), -- BLAKE2b-256 of the cookie
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  created_ms   INTEGER NOT NULL,
  expires_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_volunteer ON session (volunteer_id);

-- A machine's key: 'worker' takes jobs. Shown once, stored hashed.
CREATE TABLE token (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL CHECK (kind IN ('worker')),
  token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  created_ms INTEGER NOT NULL,
  revoked_ms INTEGER
) STRICT;

CREATE TABLE project (
  id          INTEGER PRIMARY KEY,
  slug        TEXT NOT NULL UNIQUE,               -- in addresses and commands: lower-case letters, digits, '-'
  title       TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  gap_s       INTEGER NOT NULL DEFAULT 60 CHECK (gap_s >= 0), -- photographs closer than this make one capture event
  camtrap     TEXT NOT NULL DEFAULT '{}',         -- JSON: what Camtrap DP asks of a project and photographs do not tell
  policy_id   INTEGER REFERENCES policy(id),      -- the policy in force
  model_id    INTEGER REFERENCES model(id),       -- the promoted model; NULL: none yet
  n_taught    INTEGER NOT NULL DEFAULT 0,         -- retirements that taught (derived); every 200th remixes
  sweep_id    INTEGER,                            -- open subjects after this id are to be decided again; NULL: none
  created_ms  INTEGER NOT NULL
) STRICT;

-- Who may do what in a project. Everybody may volunteer; an admin of the program needs no row.
CREATE TABLE role (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  role         TEXT NOT NULL CHECK (role IN ('admin', 'researcher', 'expert')),
  PRIMARY KEY (project_id, volunteer_id, role)
) STRICT, WITHOUT ROWID;

-- What an answer may be. Ids never change and are never reused; a taxon leaves the list by retired_ms.
CREATE TABLE taxon (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id      INTEGER NOT NULL REFERENCES project(id),
  code            TEXT NOT NULL,                  -- stable key in files: 'zebra'
  kind            TEXT NOT NULL CHECK (kind IN ('animal', 'blank', 'human', 'vehicle')),
  scientific_name TEXT NOT NULL DEFAULT '',       -- empty for blank, human, vehicle
  common_name     TEXT NOT NULL,
  rank            TEXT NOT NULL DEFAULT '',       -- Camtrap DP's taxonRank: species, genus, family, ...
  hotkey          TEXT NOT NULL DEFAULT '',       -- one key on the labelling page, or empty
  position        INTEGER NOT NULL,               -- order on the page
  protected       INTEGER NOT NULL DEFAULT 0 CHECK (protected IN (0, 1)), -- never auto-labelled, its places rounded
  retired_ms      INTEGER,
  UNIQUE (project_id, code)
) STRICT;
-- One "nothing here" a project.
CREATE UNIQUE INDEX taxon_one_blank ON taxon (project_id) WHERE kind = 'blank' AND retired_ms IS NULL;

-- The rules a project decides by: one JSON a version (docs/consensus.md, policy). Rows are never changed.
CREATE TABLE policy (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES project(id),
  version    INTEGER NOT NULL,
  rules      TEXT NOT NULL,                       -- JSON, complete (no default is left out)
  created_ms INTEGER NOT NULL,
  UNIQUE (project_id, version)
) STRICT;

-- A camera at a place from start to end.
CREATE TABLE deployment (
  id             INTEGER PRIMARY KEY,
  project_id     INTEGER NOT NULL REFERENCES project(id),
  name           TEXT NOT NULL,
  latitude_deg   REAL CHECK (latitude_deg BETWEEN -90 AND 90),     -- WGS 84; NULL: not told
  longitude_deg  REAL CHECK (longitude_deg BETWEEN -180 AND 180),
  utc_offset_s   INTEGER NOT NULL,                -- the camera clock's zone; EXIF has none
  clock_shift_s  INTEGER NOT NULL DEFAULT 0,      -- correction added to every photograph's time
  crop_bottom_px INTEGER NOT NULL DEFAULT 0 CHECK (crop_bottom_px >= 0), -- the info strip, in original pixels
  holdout        INTEGER NOT NULL DEFAULT 0 CHECK (holdout IN (0, 1)),   -- 1: never trained on, models are judged here
  created_ms     INTEGER NOT NULL,
  UNIQUE (project_id, name)
) STRICT;

-- A subject is what a volunteer is shown: one capture event.
CREATE TABLE subject (
  id            INTEGER PRIMARY KEY,
  project_id    INTEGER NOT NULL REFERENCES project(id),
  deployment_id INTEGER NOT NULL REFERENCES deployment(id),
  event_name    TEXT,                             -- the manifest's event; NULL: grouped by time
  start_ms      INTEGER,                          -- first and last frame, corrected; NULL: no frame has a time
  end_ms        INTEGER CHECK (end_ms >= start_ms),
  -- open: answers wanted; expert: waits for an expert; retired: labelled, no answers wanted
  state         TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'expert', 'retired')),
  blind         INTEGER NOT NULL DEFAULT 0 CHECK (blind IN (0, 1)), -- 1: an audit; the model's evidence is left out
  -- What follows is derived.
  n_answers     INTEGER NOT NULL DEFAULT 0,       -- that name a taxon, not superseded
  n_cant_tell   INTEGER NOT NULL DEFAULT 0,
  risk          REAL NOT NULL DEFAULT 1,          -- 1 - the posterior's largest entry
  priority      REAL NOT NULL DEFAULT 1,          -- order of the queue, high first
  label_id      INTEGER REFERENCES taxon(id),     -- the label in force; NULL: none
  p_label       REAL,                             -- its posterior when decided
  decided_by    TEXT CHECK (decided_by IN ('people', 'model', 'expert')),
  reason        TEXT CHECK (reason IN ('risk', 'cap', 'out_of_reach', 'cant_tell', 'certificate', 'audit', 'expert')),
  decided_ms    INTEGER,
  policy_id     INTEGER REFERENCES policy(id),    -- in force when decided
  prediction_id INTEGER REFERENCES prediction(id), -- the model's evidence in use; NULL: none
  certificate_id INTEGER REFERENCES certificate(id), -- that allowed an auto-label
  taught        INTEGER NOT NULL DEFAULT 0 CHECK (taught IN (0, 1)), -- 1: its retirement was counted in n_taught
  created_ms    INTEGER NOT NULL,
  CHECK ((label_id IS NULL) = (decided_by IS NULL)),
  CHECK (state <> 'retired' OR label_id IS NOT NULL OR reason IS NOT NULL)
) STRICT;
CREATE INDEX subject_queue ON subject (project_id, state, priority DESC, id);
CREATE INDEX subject_by_state ON subject (project_id, state); -- in order of id, for sweeps
CREATE INDEX subject_by_time ON subject (deployment_id, start_ms);
CREATE INDEX subject_by_prediction ON subject (prediction_id) WHERE prediction_id IS NOT NULL; -- a prediction's end asks
CREATE UNIQUE INDEX subject_by_event ON subject (deployment_id, event_name) WHERE event_name IS NOT NULL;
CREATE INDEX subject_by_certificate ON subject (certificate_id) WHERE certificate_id IS NOT NULL;

-- Events of one deployment never overlap: Camtrap DP joins media to events by time. As those that are there do not, the
-- last one to start before the new one's end is the only one that can reach into it: one step of the index.
CREATE TRIGGER subject_disjoint_insert BEFORE INSERT ON subject
WHEN NEW.start_ms <= (SELECT s.end_ms FROM subject s
  WHERE s.deployment_id = NEW.deployment_id AND s.start_ms <= NEW.end_ms
  ORDER BY s.start_ms DESC LIMIT 1)
BEGIN
  SELECT RAISE(ABORT, 'capture events of a deployment may not overlap in time');
END;
CREATE TRIGGER subject_disjoint_update BEFORE UPDATE OF start_ms, end_ms, deployment_id ON subject
WHEN NEW.start_ms <= (SELECT s.end_ms FROM subject s
  WHERE s.deployment_id = NEW.deployment_id AND s.start_ms <= NEW.end_ms AND s.id <> NEW.id
  ORDER BY s.start_ms DESC LIMIT 1)
BEGIN
  SELECT RAISE(ABORT, 'capture events of a deployment may not overlap in time');
END;

-- One photograph of a project. Originals lie at media/ab/<sha256>.jpg, renditions at
-- renditions/<long side>/ab/<sha256>-<crop>.jpg.
CREATE TABLE media (
  id             INTEGER PRIMARY KEY,
  project_id     INTEGER NOT NULL REFERENCES project(id),
  deployment_id  INTEGER NOT NULL REFERENCES deployment(id),
  subject_id     INTEGER NOT NULL REFERENCES subject(id),
  sha256         BLOB NOT NULL CHECK (length(sha256) = 32),
  n_bytes        INTEGER NOT NULL,
  file_name      TEXT NOT NULL,                   -- as imported, relative to the folder named
  link_path      TEXT,                            -- --link: where the original stays; NULL: in media/
  width_px       INTEGER NOT NULL,                -- of the original, before the strip is cut
  height_px      INTEGER NOT NULL,
  crop_bottom_px INTEGER NOT NULL,                -- what was cut from its renditions
  camera_ms      INTEGER,                         -- the camera's clock, as UTC by the deployment's offset, uncorrected
  taken_ms       INTEGER,                         -- camera_ms + clock shift; NULL: no time known
  metadata       TEXT NOT NULL DEFAULT '{}',      -- JSON: the manifest's other columns
  created_ms     INTEGER NOT NULL,
  focus_x        REAL CHECK (focus_x >= 0),       -- where it differs from its camera's background: shares of the
  focus_y        REAL CHECK (focus_y >= 0),       -- rendition's width and height; NULL: not compared
  focus_width    REAL CHECK (focus_width > 0),
  focus_height   REAL CHECK (focus_height > 0),
  focus_strength REAL CHECK (focus_strength >= 0), -- how much differs there (core/focus.h)
  UNIQUE (project_id, sha256),
  CHECK (focus_x + focus_width < 1.000001 AND focus_y + focus_height < 1.000001),
  CHECK ((focus_x IS NULL) = (focus_strength IS NULL))
) STRICT;
CREATE INDEX media_by_subject ON media (subject_id, taken_ms, file_name);

-- Files that an import did not take, and why: what the last import that met the file said.
CREATE TABLE import_problem (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES project(id),
  at_ms      INTEGER NOT NULL,
  file_name  TEXT NOT NULL,
  reason     TEXT NOT NULL,
  UNIQUE (project_id, file_name)
) STRICT;

-- A model of a project: a safetensors file at models/<sha256>.safetensors.
CREATE TABLE model (
  id            INTEGER PRIMARY KEY,
  project_id    INTEGER NOT NULL REFERENCES project(id),
  name          TEXT NOT NULL,                    -- 'm1', 'm2', ... or as imported
  sha256        BLOB NOT NULL CHECK (length(sha256) = 32), -- of the file
  arch          TEXT NOT NULL,                    -- a net's name, or 'ensemble'
  backbone      TEXT NOT NULL,                    -- hash of the backbone's tensors: keys the embeddings
  classes       TEXT NOT NULL,                    -- JSON [{"taxon": id, "prior": pi_m}], in the head's order
  parent_id     INTEGER REFERENCES model(id),
  state         TEXT NOT NULL DEFAULT 'candidate' CHECK (state IN ('candidate', 'promoted', 'former')),
  spec          TEXT NOT NULL DEFAULT '{}',       -- JSON: how it was trained; "ensemble": its members' ids
  report        TEXT NOT NULL DEFAULT '{}',       -- JSON: its evaluation on what it was not trained on
  w0            REAL,                             -- calibration, NULL until it has certification gold
  w1            REAL,
  rest          REAL NOT NULL DEFAULT 1,          -- how far it is believed about the classes that it did not put first
  n_calibration INTEGER NOT NULL DEFAULT 0,       -- certification gold that the calibration was fitted on
  created_ms    INTEGER NOT NULL,
  promoted_ms   INTEGER,
  UNIQUE (project_id, name)
) STRICT;

-- What a model was trained on: its score there is no evidence.
CREATE TABLE model_subject (
  model_id   INTEGER NOT NULL REFERENCES model(id),
  subject_id INTEGER NOT NULL REFERENCES subject(id),
  PRIMARY KEY (model_id, subject_id)
) STRICT, WITHOUT ROWID;

-- A model's output on a subject: the softmax of the mean of its frames' logits.
CREATE TABLE prediction (
  id         INTEGER PRIMARY KEY,
  subject_id INTEGER NOT NULL REFERENCES subject(id),
  model_id   INTEGER NOT NULL REFERENCES model(id),
  n_frames   INTEGER NOT NULL,
  top_id     INTEGER NOT NULL REFERENCES taxon(id), -- the class with the highest probability
  p_top      REAL NOT NULL,                       -- that probability, before calibration
  top        BLOB NOT NULL,                       -- at most 12 of (uint32 taxon id, float32 p), little endian, p falling
  created_ms INTEGER NOT NULL,
  UNIQUE (subject_id, model_id)
) STRICT;
CREATE INDEX prediction_by_confidence ON prediction (model_id, p_top);

-- Work for a worker. A training is one lease; a prediction is handed out in batches.
CREATE TABLE job (
  id           INTEGER PRIMARY KEY,
  project_id   INTEGER NOT NULL REFERENCES project(id),
  kind         TEXT NOT NULL CHECK (kind IN ('predict', 'train')),
  model_id     INTEGER REFERENCES model(id),      -- predict: by which; train: the model that came out
  spec         TEXT NOT NULL DEFAULT '{}',        -- JSON; predict {"scope": "all"|"gold"}, train: see docs/api.md
  state        TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  cursor       INTEGER NOT NULL DEFAULT 0,        -- subjects up to this id are in a batch, or looked at for training
  n_total      INTEGER NOT NULL DEFAULT 0,        -- predict: subjects, train: epochs
  n_done       INTEGER NOT NULL DEFAULT 0,
  progress     TEXT NOT NULL DEFAULT '{}',        -- JSON: the worker's last report
  error        TEXT,                              -- why it failed
  worker       TEXT,                              -- train: who holds it
  lease_ms     INTEGER,                           -- train: until when
  n_attempts   INTEGER NOT NULL DEFAULT 0,
  created_ms   INTEGER NOT NULL,
  finished_ms  INTEGER
) STRICT;
CREATE INDEX job_by_state ON job (state, id);

-- Subjects of a predict job handed to one worker until lease_ms; an expired one is handed out again.
CREATE TABLE batch (
  id         INTEGER PRIMARY KEY,
  job_id     INTEGER NOT NULL REFERENCES job(id),
  first_id   INTEGER NOT NULL,                    -- subject ids, both ends included
  last_id    INTEGER NOT NULL,
  worker     TEXT NOT NULL,
  lease_ms   INTEGER NOT NULL,
  n_attempts INTEGER NOT NULL DEFAULT 1,
  done       INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1))
) STRICT;
CREATE INDEX batch_by_job ON batch (job_id, done, lease_ms);

-- Subjects that a worker could not predict (no frame of them can be decoded), so that their job still ends.
CREATE TABLE prediction_problem (
  subject_id INTEGER NOT NULL REFERENCES subject(id),
  model_id   INTEGER NOT NULL REFERENCES model(id),
  reason     TEXT NOT NULL,
  PRIMARY KEY (subject_id, model_id)
) STRICT, WITHOUT ROWID;

-- What a train job is given, fixed when a worker first asks for it; gone when the job ends (model_subject stays).
CREATE TABLE training_item (
  job_id     INTEGER NOT NULL REFERENCES job(id),
  subject_id INTEGER NOT NULL REFERENCES subject(id),
  split      TEXT NOT NULL CHECK (split IN ('train', 'eval')), -- eval: of a deployment that is not trained on
  taxon_id   INTEGER NOT NULL REFERENCES taxon(id), -- the label
  target     TEXT,                                -- JSON [[taxon id, p], ...]: the posterior; NULL: all on the label
  weight     REAL NOT NULL CHECK (weight > 0),
  PRIMARY KEY (job_id, subject_id)
) STRICT, WITHOUT ROWID;

-- A lease: this volunteer is looking at this subject. Gone when answered; dead after expires_ms.
CREATE TABLE task (
  id           INTEGER PRIMARY KEY,
  project_id   INTEGER NOT NULL REFERENCES project(id),
  subject_id   INTEGER NOT NULL REFERENCES subject(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  expert       INTEGER NOT NULL DEFAULT 0 CHECK (expert IN (0, 1)), -- 1: from the expert queue
  planted      INTEGER NOT NULL DEFAULT 0 CHECK (planted IN (0, 1)), -- 1: gold, the truth of which is known
  issued_ms    INTEGER NOT NULL,
  expires_ms   INTEGER NOT NULL,
  UNIQUE (subject_id, volunteer_id)
) STRICT;
CREATE INDEX task_by_volunteer ON task (volunteer_id, project_id);

-- One volunteer's answer, kept for ever.
CREATE TABLE classification (
  id            INTEGER PRIMARY KEY,
  uuid          BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16), -- named by the client: a retry counts once
  project_id    INTEGER NOT NULL REFERENCES project(id),
  subject_id    INTEGER NOT NULL REFERENCES subject(id),
  volunteer_id  INTEGER NOT NULL REFERENCES volunteer(id),
  answer        TEXT NOT NULL CHECK (answer IN ('taxa', 'cant_tell', 'undone')), -- undone: takes the superseded one back
  counted       INTEGER NOT NULL CHECK (counted IN (0, 1)), -- 0: came after retirement; used at the next refit
  expert        INTEGER NOT NULL CHECK (expert IN (0, 1)),  -- 1: an expert's verdict, not a vote
  blind         INTEGER NOT NULL CHECK (blind IN (0, 1)),   -- the subject was an audit when this came
  planted       INTEGER NOT NULL DEFAULT 0 CHECK (planted IN (0, 1)), -- 1: to gold whose truth was known; never counted
  credited      INTEGER NOT NULL DEFAULT 0 CHECK (credited IN (0, 1)), -- 1: the skill has learnt from it (derived)
  shown         TEXT NOT NULL DEFAULT 'survey' CHECK (shown IN ('survey')), -- what the card showed
  policy_id     INTEGER NOT NULL REFERENCES policy(id),
  model_id      INTEGER REFERENCES model(id),     -- whose evidence was in use
  superseded_by INTEGER REFERENCES classification(id),
  duration_ms   INTEGER CHECK (duration_ms >= 0), -- from image on screen to click, by the client
  created_ms    INTEGER NOT NULL
) STRICT;
-- Never twice: one answer in force a volunteer and subject.
CREATE UNIQUE INDEX classification_once ON classification (volunteer_id, subject_id, expert)
  WHERE superseded_by IS NULL AND answer <> 'undone';
CREATE INDEX classification_by_subject ON classification (subject_id, id);
CREATE INDEX classification_by_volunteer ON classification (volunteer_id, project_id);

-- The parts of an answer: a taxon, and what else the project asks of it.
CREATE TABLE annotation (
  classification_id INTEGER NOT NULL REFERENCES classification(id),
  taxon_id          INTEGER NOT NULL REFERENCES taxon(id),
  count             INTEGER CHECK (count >= 1),   -- animals; NULL: not asked
  details           TEXT NOT NULL DEFAULT '{}',   -- JSON: answers to the project's questions
  PRIMARY KEY (classification_id, taxon_id)
) STRICT, WITHOUT ROWID;

-- A subject whose truth an expert gave, or was asked for (taxon_id NULL).
CREATE TABLE gold (
  subject_id INTEGER PRIMARY KEY REFERENCES subject(id),
  project_id INTEGER NOT NULL REFERENCES project(id),
  purpose    TEXT NOT NULL CHECK (purpose IN ('certify', 'train-people', 'probe')),
  p_draw     REAL CHECK (p_draw > 0 AND p_draw <= 1), -- NULL: chosen, not drawn; such gold never certifies
  taxon_id   INTEGER REFERENCES taxon(id),
  expert_id  INTEGER REFERENCES volunteer(id),    -- NULL: from a file
  drawn_ms   INTEGER NOT NULL,
  labelled_ms INTEGER,
  n_planted  INTEGER NOT NULL DEFAULT 0,          -- answers that it was planted for
  plant_u    REAL NOT NULL CHECK (plant_u >= 0 AND plant_u < 1), -- keyed hash: order among equals
  plant_order REAL NOT NULL GENERATED ALWAYS AS   -- who is next: one or two answers first, then by threes
    (plant_u + CASE WHEN n_planted % 3 = 0 THEN 1 + n_planted / 3 ELSE 0 END) STORED,
  CHECK (purpose <> 'certify' OR p_draw IS NOT NULL)
) STRICT;
CREATE INDEX gold_by_project ON gold (project_id, purpose);
CREATE INDEX gold_by_order ON gold (project_id, plant_order);

-- A bound on the error of auto-labels: model, stratum, threshold, and the tests it stands on.
CREATE TABLE certificate (
  id          INTEGER PRIMARY KEY,
  project_id  INTEGER NOT NULL REFERENCES project(id),
  model_id    INTEGER NOT NULL REFERENCES model(id),
  policy_id   INTEGER NOT NULL REFERENCES policy(id),
  stratum     TEXT NOT NULL DEFAULT 'not blank',
  alpha       REAL NOT NULL,                      -- promised error
  delta       REAL NOT NULL,                      -- probability that the promise is wrong
  threshold   REAL NOT NULL,                      -- least calibrated probability that is auto-labelled
  n_gold      INTEGER NOT NULL,                   -- certification gold that it was tested on
  n_above     INTEGER NOT NULL,                   -- of it above the threshold
  n_wrong     INTEGER NOT NULL,                   -- of those wrong
  p_error_upper REAL NOT NULL,                    -- Clopper-Pearson at delta of (n_wrong, n_above)
  audit_rate  REAL NOT NULL,                      -- share of auto-labelled subjects drawn blind
  -- probation: shadow audits only; active: auto-labels; replaced: by a later model's, its labels stand;
  -- revoked: its promise was broken, its labels are taken back
  state       TEXT NOT NULL CHECK (state IN ('probation', 'active', 'replaced', 'revoked')),
  issued_ms   INTEGER NOT NULL,
  active_ms   INTEGER,
  ended_ms    INTEGER,
  why         TEXT                                -- it ended
) STRICT;
CREATE INDEX certificate_by_project ON certificate (project_id, state);
CREATE UNIQUE INDEX certificate_in_force ON certificate (project_id, stratum) WHERE state IN ('probation', 'active');

-- Deployments that a certificate's gold does not cover: nothing is auto-labelled there until shadow audits end it
-- (a row is made when the first such subject is met).
CREATE TABLE probation (
  certificate_id INTEGER NOT NULL REFERENCES certificate(id),
  deployment_id  INTEGER NOT NULL REFERENCES deployment(id),
  ended_ms       INTEGER,
  PRIMARY KEY (certificate_id, deployment_id)
) STRICT, WITHOUT ROWID;

-- A subject drawn blind: an auto-labelled one (audit) or one that would be (shadow).
CREATE TABLE audit (
  subject_id     INTEGER NOT NULL REFERENCES subject(id),
  certificate_id INTEGER NOT NULL REFERENCES certificate(id),
  kind           TEXT NOT NULL CHECK (kind IN ('audit', 'shadow')),
  p_draw         REAL NOT NULL CHECK (p_draw > 0 AND p_draw <= 1),
  model_label_id INTEGER NOT NULL REFERENCES taxon(id), -- what the model said
  crowd_label_id INTEGER REFERENCES taxon(id),    -- what people said, blind
  truth_id       INTEGER REFERENCES taxon(id),    -- what counts: people's where they agree, the expert's where asked
  state          TEXT NOT NULL DEFAULT 'crowd' CHECK (state IN ('crowd', 'expert', 'done', 'void')),
  drawn_ms       INTEGER NOT NULL,
  done_ms        INTEGER,
  PRIMARY KEY (subject_id, certificate_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_certificate ON audit (certificate_id, state);

-- Every change of a label, and what made it.
CREATE TABLE label_event (
  id                INTEGER PRIMARY KEY,
  subject_id        INTEGER NOT NULL REFERENCES subject(id),
  at_ms             INTEGER NOT NULL,
  what              TEXT NOT NULL CHECK (what IN ('retired', 'reopened', 'relabelled', 'to_expert')),
  label_id          INTEGER REFERENCES taxon(id), -- afterwards
  p_label           REAL,
  risk              REAL,
  decided_by        TEXT,
  reason            TEXT NOT NULL,
  n_answers         INTEGER NOT NULL,
  classification_id INTEGER REFERENCES classification(id), -- the answer that decided
  prediction_id     INTEGER REFERENCES prediction(id),
  certificate_id    INTEGER REFERENCES certificate(id),
  policy_id         INTEGER REFERENCES policy(id)
) STRICT;
CREATE INDEX label_event_by_subject ON label_event (subject_id, id);
CREATE INDEX label_event_by_prediction ON label_event (prediction_id) WHERE prediction_id IS NOT NULL;

-- A volunteer's skill in a project (derived; docs/consensus.md).
CREATE TABLE skill (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  lambda       REAL NOT NULL,                     -- log error ratio against the pool
  prec         REAL NOT NULL,                     -- its precision
  n_credited   INTEGER NOT NULL,                  -- answers that taught
  PRIMARY KEY (project_id, volunteer_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE skill_cell (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  truth_id     INTEGER NOT NULL REFERENCES taxon(id),
  answer_id    INTEGER NOT NULL REFERENCES taxon(id),
  weight       REAL NOT NULL,                     -- answers, shared over truths by the others' posterior
  PRIMARY KEY (project_id, volunteer_id, answer_id, truth_id)
) STRICT, WITHOUT ROWID;
-- Everybody's confusion counts, and the pooled matrix that the last remix made of them.
CREATE TABLE pool_cell (
  project_id INTEGER NOT NULL REFERENCES project(id),
  truth_id   INTEGER NOT NULL REFERENCES taxon(id),
  answer_id  INTEGER NOT NULL REFERENCES taxon(id),
  weight     REAL NOT NULL DEFAULT 0,             -- answers, no volunteer more than 200
  p          REAL NOT NULL,                       -- P(answer | truth) as of the last remix
  PRIMARY KEY (project_id, answer_id, truth_id)
) STRICT, WITHOUT ROWID;
-- The class prior: subjects labelled so, kept by the triggers below, and the prior as of the last remix.
CREATE TABLE class_prior (
  project_id INTEGER NOT NULL REFERENCES project(id),
  taxon_id   INTEGER NOT NULL REFERENCES taxon(id),
  n          INTEGER NOT NULL DEFAULT 0,
  p          REAL NOT NULL,
  PRIMARY KEY (project_id, taxon_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER class_prior_count AFTER UPDATE OF label_id ON subject
WHEN OLD.label_id IS NOT NEW.label_id
BEGIN
  UPDATE class_prior SET n = n - 1 WHERE project_id = OLD.project_id AND taxon_id = OLD.label_id;
  UPDATE class_prior SET n = n + 1 WHERE project_id = NEW.project_id AND taxon_id = NEW.label_id;
END;
