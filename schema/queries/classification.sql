-- Answers and the leases that they end.

-- name: classification_by_uuid
SELECT id, volunteer_id, subject_id, counted, answer, superseded_by IS NOT NULL, created_ms, expert, planted
FROM classification WHERE uuid = ?1;

-- name: classification_add
INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, expert, blind, policy_id,
  model_id, duration_ms, created_ms, planted)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
  (SELECT m.id FROM prediction p JOIN model m ON m.id = p.model_id WHERE p.id = ?10 AND m.w0 IS NOT NULL), ?11, ?12, ?13);

-- name: classification_several
UPDATE classification SET several = 1 WHERE id = ?1;

-- name: classification_supersede
UPDATE classification SET superseded_by = ?2 WHERE id = ?1 AND superseded_by IS NULL;

-- name: classification_in_force
SELECT 1 FROM classification
WHERE volunteer_id = ?1 AND subject_id = ?2 AND expert = ?3 AND superseded_by IS NULL AND answer <> 'undone';

-- name: classification_n_since
SELECT count(*) FROM classification WHERE volunteer_id = ?1 AND project_id = ?2 AND id > ?3 AND answer <> 'undone'
  AND superseded_by IS NULL;

-- name: classification_last
SELECT id FROM classification WHERE volunteer_id = ?1 AND project_id = ?2 ORDER BY id DESC LIMIT 1;

-- name: classification_taken_back
SELECT 1 FROM classification WHERE subject_id = ?1 AND volunteer_id = ?2 AND superseded_by IS NOT NULL LIMIT 1;

-- name: annotation_add
INSERT INTO annotation (classification_id, taxon_id, count, details) VALUES (?1, ?2, ?3, ?4);

-- name: task_held
SELECT t.id, t.subject_id, t.expires_ms FROM task t JOIN subject s ON s.id = t.subject_id
WHERE t.volunteer_id = ?1 AND t.project_id = ?2 AND t.expert = ?3 AND t.expires_ms > ?4
  AND (s.state = ?6 OR t.planted = 1)
ORDER BY t.issued_ms, t.id LIMIT ?5;

-- The queue: high priority first, nothing that the volunteer has answered or held, nothing that n others look at.
-- name: task_candidate
SELECT s.id FROM subject s
WHERE s.project_id = ?1 AND s.state = ?2
  AND (SELECT count(*) FROM task t WHERE t.subject_id = s.id AND t.expires_ms > ?5 AND t.volunteer_id <> ?3) < ?6
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?3 AND c.subject_id = s.id AND c.expert = ?4
                  AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.subject_id = s.id AND t.volunteer_id = ?3 AND t.expires_ms > ?5
                  AND t.expert = ?4)
ORDER BY s.priority DESC, s.id LIMIT ?7;

-- A row while open subjects wait to be decided again.
-- name: task_sweeping
SELECT 1 FROM project WHERE id = ?1 AND sweep_id IS NOT NULL;

-- name: task_any_open
SELECT 1 FROM subject WHERE project_id = ?1 AND state = ?2 LIMIT 1;

-- name: task_put
INSERT INTO task (project_id, subject_id, volunteer_id, expert, issued_ms, expires_ms, planted)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (subject_id, volunteer_id)
DO UPDATE SET expert = excluded.expert, planted = excluded.planted, issued_ms = excluded.issued_ms, expires_ms = excluded.expires_ms
RETURNING id;

-- name: task_given
SELECT planted FROM task WHERE subject_id = ?1 AND volunteer_id = ?2;

-- A dead lease stays for a day: an answer given off line may still come.
-- name: task_clean
DELETE FROM task WHERE expires_ms < ?1;

-- name: task_end
DELETE FROM task WHERE subject_id = ?1 AND volunteer_id = ?2;

-- name: task_frames
SELECT id, width_px, height_px, crop_bottom_px FROM media WHERE subject_id = ?1 ORDER BY taken_ms, file_name, id LIMIT ?2;
