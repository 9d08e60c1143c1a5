-- What people may ask of the server beside labelling: what they have done, flags, comments, practice, a way back in, a way out.

-- Answers in force by day, and what they name: kept by the triggers below, so that a personal page reads no answers (derived).
CREATE TABLE answer_day (
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  day          INTEGER NOT NULL,                  -- days since 1970-01-01 UTC
  project_id   INTEGER NOT NULL REFERENCES project(id),
  n            INTEGER NOT NULL,
  PRIMARY KEY (volunteer_id, day, project_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE answer_taxon (
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  project_id   INTEGER NOT NULL REFERENCES project(id),
  taxon_id     INTEGER NOT NULL REFERENCES taxon(id),
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
