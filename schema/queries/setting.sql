-- Facts of the data directory, the checks of it, and the embedding cache (a file of its own, attached as emb).

-- name: setting_get
SELECT value FROM setting WHERE name = ?1;

-- name: setting_put
INSERT INTO setting (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: check_integrity
PRAGMA integrity_check(1);

-- name: check_foreign_keys
PRAGMA foreign_key_check;

-- backbone: hash of the tensors; rendition: version of what was decoded; vec: little-endian float16, one mean a subject
-- name: embedding_create
CREATE TABLE IF NOT EXISTS emb.embedding (
  backbone TEXT NOT NULL,
  rendition INTEGER NOT NULL,
  subject_id INTEGER NOT NULL,
  vec BLOB NOT NULL,
  PRIMARY KEY (backbone, rendition, subject_id)
) STRICT, WITHOUT ROWID;

-- name: embedding_put
INSERT INTO emb.embedding (backbone, rendition, subject_id, vec) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (backbone, rendition, subject_id) DO NOTHING;

-- name: embedding_get
SELECT vec FROM emb.embedding WHERE backbone = ?1 AND rendition = ?2 AND subject_id = ?3;
