-- What a volunteer has done, and what is kept about them.

-- name: history_last
SELECT id, uuid, subject_id, created_ms, answer, several FROM classification
WHERE volunteer_id = ?1 AND project_id = ?2 AND superseded_by IS NULL AND answer <> 'undone' ORDER BY id DESC LIMIT ?3;

-- name: history_named
SELECT taxon_id, count, details FROM annotation WHERE classification_id = ?1;

-- A subject's first photograph, where it is not hidden.
-- name: subject_thumb
SELECT m.id FROM media m WHERE m.subject_id = ?1
  AND NOT EXISTS (SELECT 1 FROM subject s JOIN taxon x ON x.id = s.label_id WHERE s.id = ?1 AND x.kind = 'human' AND s.state <> 'open')
  AND NOT EXISTS (SELECT 1 FROM label_also a JOIN taxon x ON x.id = a.taxon_id WHERE a.subject_id = ?1 AND x.kind = 'human')
ORDER BY m.taken_ms, m.file_name, m.id LIMIT 1;

-- What a volunteer holds of a project and says that they will not answer now.
-- name: task_release
UPDATE task SET expires_ms = ?4 WHERE subject_id = ?1 AND volunteer_id = ?2 AND project_id = ?3 AND expires_ms > ?4;

-- name: tally_claim_days
INSERT INTO answer_day (volunteer_id, day, project_id, n)
SELECT ?2, day, project_id, n FROM answer_day WHERE volunteer_id = ?1
ON CONFLICT (volunteer_id, day, project_id) DO UPDATE SET n = n + excluded.n;

-- name: tally_claim_taxa
INSERT INTO answer_taxon (volunteer_id, project_id, taxon_id, n)
SELECT ?2, project_id, taxon_id, n FROM answer_taxon WHERE volunteer_id = ?1
ON CONFLICT (volunteer_id, project_id, taxon_id) DO UPDATE SET n = n + excluded.n;

-- name: tally_drop_days
DELETE FROM answer_day WHERE volunteer_id = ?1;

-- name: tally_drop_taxa
DELETE FROM answer_taxon WHERE volunteer_id = ?1;
