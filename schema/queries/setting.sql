-- Facts of the data directory, the checks of it, and the embedding cache (a file of its own, attached as emb).

-- name: setting_get
SELECT value FROM setting WHERE name = ?1;

-- name: setting_put
INSERT INTO setting (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: check_data_version
PRAGMA data_version;

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
ON CONFLICT (backbone, rendition, subject_id) DO UPDATE SET vec = excluded.vec;

-- An embedding is of the frames that were there: it counts while a prediction of its backbone is of as many as there
-- are. So what an import makes stale it need not delete here: this file and topi.db do not commit as one.
-- name: embedding_get
SELECT e.vec FROM emb.embedding e WHERE e.backbone = ?1 AND e.rendition = ?2 AND e.subject_id = ?3
  AND EXISTS (SELECT 1 FROM prediction p JOIN model m ON m.id = p.model_id AND m.backbone = ?1
              WHERE p.subject_id = ?3 AND p.n_frames = (SELECT count(*) FROM media f WHERE f.subject_id = ?3));
