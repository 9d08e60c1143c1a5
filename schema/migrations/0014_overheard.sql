-- Subjects of which somebody has read others' comments among those of a project: what they say of one afterwards is no evidence.
CREATE TABLE overheard (
  volunteer_id INTEGER NOT NULL REFERENCES volunteer(id),
  subject_id   INTEGER NOT NULL REFERENCES subject(id),
  project_id   INTEGER NOT NULL REFERENCES project(id),
  at_ms        INTEGER NOT NULL,
  PRIMARY KEY (volunteer_id, subject_id)
) STRICT, WITHOUT ROWID;

-- Tokens that a program lends to its own worker (core/volunteer.h, token_lend): deleted after this; NULL: an admin's, which stay.
ALTER TABLE token ADD COLUMN expires_ms INTEGER;
UPDATE token SET expires_ms = created_ms WHERE revoked_ms IS NOT NULL AND name LIKE 'local-________';
