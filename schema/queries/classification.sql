-- Answers and the leases that they end.

-- name: classification_by_uuid
SELECT id, volunteer_id, subject_id, counted, answer, superseded_by IS NOT NULL, created_ms, expert, planted,
  guess_id, guess_model_id, stained
FROM classification WHERE uuid = ?1;

-- name: classification_add
INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, expert, blind, policy_id,
  model_id, duration_ms, created_ms, planted, guess_id, guess_model_id, told, stained)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
  (SELECT m.id FROM prediction p JOIN model m ON m.id = p.model_id WHERE p.id = ?10 AND m.w0 IS NOT NULL), ?11, ?12, ?13,
  ?14, ?15, ?16, ?17);

-- name: classification_several
UPDATE classification SET several = 1 WHERE id = ?1;

-- name: classification_supersede
UPDATE classification SET superseded_by = ?2 WHERE id = ?1 AND superseded_by IS NULL;

-- What there is to a subject already: an answer in force of the volunteer, one of theirs with which they heard what the model
-- thinks, and how many routine ones. (By subject: it has few answers, a volunteer may have thousands.)
-- name: classification_before
SELECT COALESCE(max(volunteer_id = ?2 AND expert = ?3 AND superseded_by IS NULL AND answer <> 'undone'), 0),
  COALESCE(max(volunteer_id = ?2 AND told = 1), 0), COALESCE(sum(expert = 0 AND answer <> 'undone'), 0)
FROM classification WHERE subject_id = ?1;

-- name: classification_n_since
SELECT count(*) FROM classification WHERE volunteer_id = ?1 AND project_id = ?2 AND id > ?3 AND answer <> 'undone'
  AND superseded_by IS NULL;

-- name: classification_last
SELECT id FROM classification WHERE volunteer_id = ?1 AND project_id = ?2 ORDER BY id DESC LIMIT 1;

-- name: classification_taken_back
SELECT 1 FROM classification WHERE subject_id = ?1 AND +volunteer_id = ?2 AND superseded_by IS NOT NULL LIMIT 1;

-- name: annotation_add
INSERT INTO annotation (classification_id, taxon_id, count, details) VALUES (?1, ?2, ?3, ?4);

-- name: task_held
SELECT t.id, t.subject_id, t.expires_ms, t.guess_id FROM task t JOIN subject s ON s.id = t.subject_id
WHERE t.volunteer_id = ?1 AND t.project_id = ?2 AND t.expert = ?3 AND t.expires_ms > ?4
  AND (s.state = ?6 OR t.planted = 1)
ORDER BY t.issued_ms, t.id LIMIT ?5;

-- The queue from a place on: high priority first.
-- name: task_queue
SELECT id, priority FROM subject
WHERE project_id = ?1 AND state = ?2 AND state <> 'retired' AND priority <= ?3 AND (priority < ?3 OR id > ?4)
ORDER BY priority DESC, id;

-- A row where the volunteer has neither answered nor holds the subject, and fewer than ?5 others look at it.
-- name: task_is_free
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = ?1 AND c.expert = ?3
                           AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.subject_id = ?1 AND t.volunteer_id = ?2 AND t.expires_ms > ?4 AND t.expert = ?3)
  AND (SELECT count(*) FROM task t WHERE t.subject_id = ?1 AND t.expires_ms > ?4 AND t.volunteer_id <> ?2) < ?5;

-- name: task_cursor_get
SELECT priority, subject_id, at_ms FROM task_cursor WHERE project_id = ?1 AND volunteer_id = ?2 AND expert = ?3;

-- name: task_cursor_put
INSERT INTO task_cursor (project_id, volunteer_id, expert, priority, subject_id, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (project_id, volunteer_id, expert)
DO UPDATE SET priority = excluded.priority, subject_id = excluded.subject_id, at_ms = excluded.at_ms;

-- The next in the queue for a volunteer of what the model in use takes for class ?5.
-- name: task_candidate_of_class
SELECT s.id FROM subject s
WHERE s.project_id = ?1 AND s.state = 'open' AND s.guess_id = ?5
  AND (SELECT count(*) FROM task t WHERE t.subject_id = s.id AND t.expires_ms > ?3 AND t.volunteer_id <> ?2) < ?4
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = s.id AND c.expert = 0
                  AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.subject_id = s.id AND t.volunteer_id = ?2 AND t.expires_ms > ?3)
ORDER BY s.priority DESC, s.id LIMIT 1;

-- A volunteer's last ?4 answers, those among them to what is taken for class ?3, and the last answer.
-- name: task_recent_of_class
SELECT count(*), COALESCE(sum(COALESCE(g.taxon_id, s.label_id, s.guess_id) = ?3), 0), COALESCE(max(c.id), 0)
FROM (SELECT id, subject_id FROM classification WHERE volunteer_id = ?1 AND project_id = ?2 AND answer <> 'undone'
      ORDER BY id DESC LIMIT ?4) c
JOIN subject s ON s.id = c.subject_id LEFT JOIN gold g ON g.subject_id = s.id;

-- Whether a subject is taken for class ?2.
-- name: task_is_of_class
SELECT COALESCE(COALESCE(g.taxon_id, s.label_id, s.guess_id) = ?2, 0)
FROM subject s LEFT JOIN gold g ON g.subject_id = s.id WHERE s.id = ?1;

-- The auto-label of class ?2 that the audits' hash comes to next.
-- name: task_extra_audit
SELECT s.id FROM subject s JOIN certificate c ON c.id = s.certificate_id AND c.state <> 'revoked'
WHERE s.project_id = ?1 AND s.label_id = ?2 AND s.state = 'retired' AND s.decided_by = 'model' AND s.audit_u IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.subject_id = s.id AND a.certificate_id = c.id)
ORDER BY s.audit_u LIMIT 1;

-- A row while open subjects wait to be decided again.
-- name: task_sweeping
SELECT 1 FROM project WHERE id = ?1 AND sweep_id IS NOT NULL;

-- name: task_any_open
SELECT 1 FROM subject WHERE project_id = ?1 AND state = ?2 LIMIT 1;

-- A guess that was shown once stays: it cannot be unseen.
-- name: task_put
INSERT INTO task (project_id, subject_id, volunteer_id, expert, issued_ms, expires_ms, planted, guess_id,
  guess_model_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (subject_id, volunteer_id)
DO UPDATE SET expert = excluded.expert, planted = excluded.planted, issued_ms = excluded.issued_ms, expires_ms = excluded.expires_ms,
  guess_id = COALESCE(task.guess_id, excluded.guess_id),
  guess_model_id = CASE WHEN task.guess_id IS NULL THEN excluded.guess_model_id ELSE task.guess_model_id END
RETURNING id, guess_id;

-- name: task_given
SELECT planted, guess_id, guess_model_id FROM task WHERE subject_id = ?1 AND volunteer_id = ?2;

-- A dead lease stays for a day: an answer given off line may still come.
-- name: task_clean
DELETE FROM task WHERE expires_ms < ?1;

-- name: task_end
DELETE FROM task WHERE subject_id = ?1 AND volunteer_id = ?2;

-- name: task_frames
SELECT id, width_px, height_px, crop_bottom_px FROM media WHERE subject_id = ?1 ORDER BY taken_ms, file_name, id LIMIT ?2;
