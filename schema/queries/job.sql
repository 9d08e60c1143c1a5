-- Work for workers: jobs, the batches of a prediction, the items of a training.

-- name: job_add
INSERT INTO job (project_id, kind, model_id, spec, n_total, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: job_get
SELECT id, project_id, kind, COALESCE(model_id, 0), spec, state, cursor, n_total, n_done, progress,
  COALESCE(error, ''), COALESCE(worker, ''), COALESCE(lease_ms, 0), n_attempts
FROM job WHERE id = ?1;

-- name: job_open
SELECT id FROM job WHERE state IN ('queued', 'running') ORDER BY id;

-- A prediction that would do the same: it waits for its first worker or, where ?3, it is under way.
-- name: job_like
SELECT id, n_done FROM job
WHERE (state = 'queued' OR (?3 AND state = 'running')) AND kind = 'predict' AND model_id = ?1 AND spec = ?2
ORDER BY id LIMIT 1;

-- name: job_set_total
UPDATE job SET n_total = ?2 WHERE id = ?1;

-- Predictions under way come back to subject ?2, and to the whole batch that it is in.
-- name: job_rewind
UPDATE job SET cursor = COALESCE((SELECT min(b.first_id) FROM batch b
    WHERE b.job_id = job.id AND b.done = 0 AND ?2 BETWEEN b.first_id AND b.last_id), ?2) - 1
WHERE state = 'running' AND kind = 'predict' AND project_id = ?1 AND cursor >= ?2;

-- name: job_set_cursor
UPDATE job SET cursor = ?2, state = 'running' WHERE id = ?1;

-- name: job_set_lease
UPDATE job SET worker = ?2, lease_ms = ?3, n_attempts = n_attempts + 1, state = 'running' WHERE id = ?1;

-- name: job_set_progress
UPDATE job SET lease_ms = COALESCE(?2, lease_ms), progress = ?3, n_done = COALESCE(?4, n_done),
  n_total = COALESCE(?5, n_total) WHERE id = ?1;

-- name: job_add_done
UPDATE job SET n_done = n_done + ?2 WHERE id = ?1;

-- An attempt ended badly: whoever asks next gets the job.
-- name: job_set_error
UPDATE job SET error = ?2, lease_ms = ?3, n_attempts = n_attempts + ?4 WHERE id = ?1;

-- name: job_end
UPDATE job SET state = ?2, error = ?3, finished_ms = ?4, n_total = CASE WHEN ?2 = 'done' THEN n_done ELSE n_total END
WHERE id = ?1 AND state IN ('queued', 'running');

-- name: job_set_model
UPDATE job SET model_id = ?2 WHERE id = ?1;

-- name: job_count_all
SELECT (SELECT count(*) FROM subject WHERE project_id = ?1)
  - (SELECT count(*) FROM prediction WHERE model_id = ?2) - (SELECT count(*) FROM prediction_problem WHERE model_id = ?2);

-- name: job_count_gold
SELECT count(*) FROM gold g WHERE g.project_id = ?1 AND g.purpose = 'certify'
  AND NOT EXISTS (SELECT 1 FROM prediction p WHERE p.subject_id = g.subject_id AND p.model_id = ?2)
  AND NOT EXISTS (SELECT 1 FROM prediction_problem e WHERE e.subject_id = g.subject_id AND e.model_id = ?2);

-- Subjects after ?2 that model ?3 has not seen. The + keeps the walk on the ids: nothing is sorted.
-- name: job_next_all
SELECT s.id FROM subject s WHERE +s.project_id = ?1 AND s.id > ?2
  AND NOT EXISTS (SELECT 1 FROM prediction p WHERE p.subject_id = s.id AND p.model_id = ?3)
  AND NOT EXISTS (SELECT 1 FROM prediction_problem e WHERE e.subject_id = s.id AND e.model_id = ?3)
ORDER BY s.id LIMIT ?4;

-- name: job_next_gold
SELECT g.subject_id FROM gold g WHERE +g.project_id = ?1 AND g.purpose = 'certify' AND g.subject_id > ?2
  AND NOT EXISTS (SELECT 1 FROM prediction p WHERE p.subject_id = g.subject_id AND p.model_id = ?3)
  AND NOT EXISTS (SELECT 1 FROM prediction_problem e WHERE e.subject_id = g.subject_id AND e.model_id = ?3)
ORDER BY g.subject_id LIMIT ?4;

-- name: job_frames
SELECT sha256, crop_bottom_px, focus_x, focus_y, focus_width, focus_height,
  focus_strength, model_px FROM media WHERE subject_id = ?1 ORDER BY taken_ms, file_name, id;

-- name: batch_add
INSERT INTO batch (job_id, first_id, last_id, worker, lease_ms) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: batch_get
SELECT job_id, first_id, last_id, worker, done FROM batch WHERE id = ?1;

-- name: batch_expired
SELECT id, first_id, last_id, n_attempts FROM batch
WHERE job_id = ?1 AND done = 0 AND lease_ms <= ?2 ORDER BY id LIMIT 1;

-- name: batch_waiting
SELECT count(*) FROM batch WHERE job_id = ?1 AND done = 0;

-- name: batch_take
UPDATE batch SET worker = ?2, lease_ms = ?3, n_attempts = n_attempts + 1 WHERE id = ?1;

-- name: batch_extend
UPDATE batch SET lease_ms = ?2 WHERE id = ?1;

-- name: batch_drop
UPDATE batch SET lease_ms = ?3 WHERE job_id = ?1 AND worker = ?2 AND done = 0;

-- name: batch_done
UPDATE batch SET done = 1 WHERE id = ?1;

-- Whoever holds subject ?2 in a batch works for nothing: the results of a batch that is done are passed over.
-- name: batch_void
UPDATE batch SET done = 1 WHERE done = 0 AND ?2 BETWEEN first_id AND last_id
  AND job_id IN (SELECT id FROM job WHERE state = 'running' AND kind = 'predict' AND project_id = ?1);

-- name: prediction_problem_add
INSERT INTO prediction_problem (subject_id, model_id, reason) VALUES (?1, ?2, ?3)
ON CONFLICT (subject_id, model_id) DO NOTHING;

-- name: item_deployments
SELECT id, holdout FROM deployment WHERE project_id = ?1 ORDER BY id;

-- Labels in force of taxa on the list; the last column: a model was heard when it was decided. A net learns one class a
-- subject, so a label of several species teaches it nothing.
-- name: item_candidates
SELECT s.id, s.deployment_id, COALESCE(g.taxon_id, s.label_id),
  CASE WHEN g.taxon_id IS NOT NULL THEN 'expert' ELSE s.decided_by END, COALESCE(g.purpose = 'certify', 0),
  s.prediction_id IS NOT NULL AND s.reason <> 'audit'
FROM subject s LEFT JOIN gold g ON g.subject_id = s.id LEFT JOIN certificate c ON c.id = s.certificate_id
JOIN taxon t ON t.id = COALESCE(g.taxon_id, s.label_id) AND t.retired_ms IS NULL
WHERE +s.project_id = ?1 AND s.id > ?2
  AND (g.taxon_id IS NOT NULL OR (s.state = 'retired' AND COALESCE(c.state, '') <> 'revoked'))
  AND NOT EXISTS (SELECT 1 FROM label_also a WHERE a.subject_id = s.id)
ORDER BY s.id LIMIT ?3;

-- name: item_add
INSERT INTO training_item (job_id, subject_id, split, taxon_id, target, weight, heads) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (job_id, subject_id) DO NOTHING;

-- name: item_count
SELECT count(*), COALESCE(sum(split = 'train'), 0) FROM training_item WHERE job_id = ?1;

-- name: item_classes
SELECT t.id, t.code FROM taxon t
WHERE t.id IN (SELECT i.taxon_id FROM training_item i WHERE i.job_id = ?1 AND i.split = 'train')
ORDER BY t.position, t.id;

-- What is known of any item that is trained on.
-- name: item_heads
SELECT DISTINCT h.key FROM training_item i, json_each(i.heads) h WHERE i.job_id = ?1 AND i.split = 'train';

-- name: item_list
SELECT i.subject_id, i.split, i.taxon_id, i.target, i.weight, s.deployment_id, i.heads
FROM training_item i JOIN subject s ON s.id = i.subject_id
WHERE i.job_id = ?1 ORDER BY i.subject_id;

-- name: item_remove
DELETE FROM training_item WHERE job_id = ?1;
