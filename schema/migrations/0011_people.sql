-- What people may ask of the server beside labelling: what they have done, flags, comments, practice, a way back in, a way out.

-- Answers in force by day, and what they name: kept by the triggers below, so that a personal page reads no answers (derived;
-- no references, which every answer would have to check).
CREATE TABLE answer_day (
  volunteer_id INTEGER NOT NULL,
  day          INTEGER NOT NULL,                  -- days since 1970-01-01 UTC
  project_id   INTEGER NOT NULL,
  n            INTEGER NOT NULL,
  PRIMARY KEY (volunteer_id, day, project_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE answer_taxon (
  volunteer_id INTEGER NOT NULL,
  project_id   INTEGER NOT NULL,
  taxon_id     INTEGER NOT NULL,
  n            INTEGER NOT NULL,
  PRIMARY KEY (volunteer_id, project_id, taxon_id)
) STRICT, WITHOUT ROWID;
INSERT INTO answer_day (volunteer_id, day, project_id, n)
SELECT volunteer_id, created_ms / 86400000, project_id, count(*) FROM classification
WHERE superseded_by IS NULL AND answer <> 'undone' GROUP BY 1, 2, 3;
INSERT INTO answer_taxon (volunteer_id, project_id, taxon_id, n)
SELECT c.volunteer_id, c.project_id, a.taxon_id, count(*) FROM classification c JOIN annotation a ON a.classification_id = c.id
WHERE c.superseded_by IS NULL AND c.answer <> 'undone' GROUP BY 1, 2, 3;
CREATE TRIGGER answer_day_count AFTER INSERT ON classification
WHEN NEW.answer <> 'undone' AND NEW.superseded_by IS NULL
BEGIN
  INSERT INTO answer_day (volunteer_id, day, project_id, n)
  VALUES (NEW.volunteer_id, NEW.created_ms / 86400000, NEW.project_id, 1)
  ON CONFLICT (volunteer_id, day, project_id) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER answer_taxon_count AFTER INSERT ON annotation
BEGIN
  INSERT INTO answer_taxon (volunteer_id, project_id, taxon_id, n)
  SELECT c.volunteer_id, c.project_id, NEW.taxon_id, 1 FROM classification c
  WHERE c.id = NEW.classification_id AND c.superseded_by IS NULL AND c.answer <> 'undone'
  ON CONFLICT (volunteer_id, project_id, taxon_id) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER answer_uncount AFTER UPDATE OF superseded_by ON classification
WHEN OLD.superseded_by IS NULL AND NEW.superseded_by IS NOT NULL AND NEW.answer <> 'undone'
BEGIN
  UPDATE answer_day SET n = n - 1
  WHERE volunteer_id = NEW.volunteer_id AND day = NEW.created_ms / 86400000 AND project_id = NEW.project_id;
  UPDATE answer_taxon SET n = n - 1
  WHERE volunteer_id = NEW.volunteer_id AND project_id = NEW.project_id
    AND taxon_id IN (SELECT a.taxon_id FROM annotation a WHERE a.classification_id = NEW.id);
END;

-- One-time links by which a person sets a new password: one a person, stored hashed.
CREATE TABLE invite (
  volunteer_id INTEGER PRIMARY KEY REFERENCES volunteer(id),
  token_hash   BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32), -- BLAKE2b-256 of the link's token
  expires_ms   INTEGER NOT NULL
) STRICT;

-- What a volunteer's page says of their skill in a project, made once a day: who saw it move with each answer would know which
-- subjects were gold.
CREATE TABLE personal (
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  project_id   INTEGER NOT NULL REFERENCES project(id),
  made_ms      INTEGER NOT NULL,
  skill        TEXT NOT NULL,                     -- JSON (core/personal.h)
  PRIMARY KEY (volunteer_id, project_id)
) STRICT, WITHOUT ROWID;

-- What a volunteer says of a subject's photographs besides what is on them.
CREATE TABLE flag (
  subject_id   INTEGER NOT NULL REFERENCES subject(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  -- person, offensive: hides the photographs from all but experts until it is closed; favourite: nobody else sees it
  kind         TEXT NOT NULL CHECK (kind IN ('person', 'offensive', 'damaged', 'wrong_burst', 'favourite')),
  project_id   INTEGER NOT NULL REFERENCES project(id),
  created_ms   INTEGER NOT NULL,
  closed_ms    INTEGER,                           -- when an expert had looked; NULL: open
  PRIMARY KEY (subject_id, volunteer_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX flag_by_volunteer ON flag (volunteer_id, kind, created_ms);
CREATE INDEX flag_open ON flag (project_id, subject_id, kind) WHERE closed_ms IS NULL AND kind <> 'favourite';

-- What volunteers say to each other about a subject, after their own answer.
CREATE TABLE comment (
  id           INTEGER PRIMARY KEY,
  project_id   INTEGER NOT NULL REFERENCES project(id),
  subject_id   INTEGER NOT NULL REFERENCES subject(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  text         TEXT NOT NULL,                     -- plain, at most 500 characters
  created_ms   INTEGER NOT NULL,
  hidden_ms    INTEGER,                           -- since when a moderator hides it; NULL: it is shown
  hidden_by    INTEGER REFERENCES volunteer(id),
  hidden_why   TEXT
) STRICT;
CREATE INDEX comment_by_subject ON comment (subject_id, id);
CREATE INDEX comment_by_project ON comment (project_id, id);
CREATE INDEX comment_by_volunteer ON comment (volunteer_id);

-- Gold that a volunteer has practised on, its truth in view: it is never planted for them.
CREATE TABLE practised (
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  subject_id   INTEGER NOT NULL REFERENCES subject(id),
  project_id   INTEGER NOT NULL REFERENCES project(id),
  at_ms        INTEGER NOT NULL,
  PRIMARY KEY (volunteer_id, subject_id)
) STRICT, WITHOUT ROWID;

-- Subjects whose photographs are for experts and admins alone: once it is decided that a person is on them (not while people
-- are asked, as of an audit of what a model takes for a person: who is asked must see it, and see it as any other), and while
-- somebody's word is that they must not be seen.
CREATE VIEW hidden (subject_id) AS
  SELECT s.id FROM subject s JOIN taxon x ON x.id = s.label_id WHERE x.kind = 'human' AND s.state <> 'open'
  UNION ALL
  SELECT a.subject_id FROM label_also a JOIN taxon x ON x.id = a.taxon_id WHERE x.kind = 'human'
  UNION ALL
  SELECT f.subject_id FROM flag f WHERE f.kind IN ('person', 'offensive') AND f.closed_ms IS NULL;

-- Who keeps the talk friendly.
CREATE TABLE role_new (
  project_id   INTEGER NOT NULL REFERENCES project(id),
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  role         TEXT NOT NULL CHECK (role IN ('admin', 'researcher', 'expert', 'moderator')),
  PRIMARY KEY (project_id, volunteer_id, role)
) STRICT, WITHOUT ROWID;
INSERT INTO role_new (project_id, volunteer_id, role) SELECT project_id, volunteer_id, role FROM role;
DROP TABLE role;
ALTER TABLE role_new RENAME TO role;

-- Since when the answers of somebody who has left are being taken back, in pieces; NULL: none are.
ALTER TABLE volunteer ADD COLUMN take_ms INTEGER;
CREATE INDEX volunteer_taking ON volunteer (id) WHERE take_ms IS NOT NULL;
