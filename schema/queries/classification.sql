-- Answers and the leases that they end.

-- name: classification_by_uuid
SELECT id, volunteer_id, subject_id, counted, answer, superseded_by IS NOT NULL, created_ms, expert, planted,
  guess_id, guess_model_id, stained, told
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
-- or others think (or what they have read of it before any), and how many routine ones. (By subject: it has few answers, a
-- volunteer may have thousands.)
-- name: classification_before
SELECT COALESCE(max(volunteer_id = ?2 AND expert = ?3 AND superseded_by IS NULL AND answer <> 'undone'), 0),
  COALESCE(max(volunteer_id = ?2 AND told = 1), 0)
    OR EXISTS (SELECT 1 FROM overheard o WHERE o.volunteer_id = ?2 AND o.subject_id = ?1),
  COALESCE(sum(expert = 0 AND answer <> 'undone'), 0)
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

-- Gold, and what was given again after an undo (both at one time), whatever has become of the subject: so that it tells nothing.
-- name: task_held
SELECT t.id, t.subject_id, t.expires_ms, t.guess_id FROM task t JOIN subject s ON s.id = t.subject_id
WHERE t.volunteer_id = ?1 AND t.project_id = ?2 AND t.expert = ?3 AND t.expires_ms > ?4
  AND (s.state = ?6 OR t.planted = 1
       OR (EXISTS (SELECT 1 FROM classification c WHERE c.subject_id = t.subject_id AND c.volunteer_id = ?1 AND c.answer = 'undone'
                   AND c.created_ms = t.issued_ms)
           AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = t.subject_id)))
ORDER BY t.issued_ms, t.id LIMIT ?5;

-- The queue from a place on: high priority first. (The state is no parameter: whether a partial index will do may hang on its
-- value, so SQLite would compile the statement again for each one that is bound.)
-- name: task_queue
SELECT id, priority, deployment_id FROM subject
WHERE project_id = ?1 AND state = 'open' AND state <> 'retired' AND priority <= ?2 AND (priority < ?2 OR id > ?3)
ORDER BY priority DESC, id;

-- name: task_queue_expert
SELECT id, priority, deployment_id FROM subject
WHERE project_id = ?1 AND state = 'expert' AND state <> 'retired' AND priority <= ?2 AND (priority < ?2 OR id > ?3)
ORDER BY priority DESC, id;

-- A row where the volunteer has neither answered the subject nor holds it, and fewer than ?5 others look at it.
-- name: task_is_free
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = ?1 AND c.expert = ?3
                           AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.subject_id = ?1 AND t.volunteer_id = ?2 AND t.expires_ms > ?4 AND t.expert = ?3)
  AND (SELECT count(*) FROM task t WHERE t.subject_id = ?1 AND t.expires_ms > ?4 AND t.volunteer_id <> ?2) < ?5;

-- The queue of one camera, from its top.
-- name: task_queue_of_deployment
SELECT id FROM subject WHERE project_id = ?1 AND state = 'open' AND deployment_id = ?2
ORDER BY priority DESC, id LIMIT ?3;

-- The next camera after ?2 that has an open subject, or the first; NULL where nothing is open.
-- name: task_next_deployment
SELECT COALESCE(
  (SELECT deployment_id FROM subject WHERE project_id = ?1 AND state = 'open' AND deployment_id > ?2
   ORDER BY deployment_id LIMIT 1),
  (SELECT deployment_id FROM subject WHERE project_id = ?1 AND state = 'open' ORDER BY deployment_id LIMIT 1));

-- name: task_deployment
SELECT deployment_id FROM subject WHERE id = ?1;

-- name: task_last_deployment
SELECT s.deployment_id FROM classification c JOIN subject s ON s.id = c.subject_id
WHERE c.volunteer_id = ?1 AND c.project_id = ?2 ORDER BY c.id DESC LIMIT 1;

-- name: task_cursor_get
SELECT priority, subject_id, at_ms FROM task_cursor WHERE project_id = ?1 AND volunteer_id = ?2 AND expert = ?3;

-- name: task_cursor_put
INSERT INTO task_cursor (project_id, volunteer_id, expert, priority, subject_id, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (project_id, volunteer_id, expert)
DO UPDATE SET priority = excluded.priority, subject_id = excluded.subject_id, at_ms = excluded.at_ms;

-- The next in the queue for a volunteer of what the model in use takes for class ?5, and not of camera ?6.
-- name: task_candidate_of_class
SELECT id FROM (SELECT s.id, s.deployment_id, s.priority FROM subject s
WHERE s.project_id = ?1 AND s.state = 'open' AND s.guess_id = ?5
  AND (SELECT count(*) FROM task t WHERE t.subject_id = s.id AND t.expires_ms > ?3 AND t.volunteer_id <> ?2) < ?4
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = s.id AND c.expert = 0
                  AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.subject_id = s.id AND t.volunteer_id = ?2 AND t.expires_ms > ?3)
ORDER BY s.priority DESC, s.id LIMIT 20)
WHERE deployment_id <> ?6 ORDER BY priority DESC, id LIMIT 1;

-- What a volunteer's last answers of the day were to.
-- name: task_recent
SELECT n, recent FROM answer_day WHERE volunteer_id = ?1 AND day = ?2 AND project_id = ?3;

-- An answer to subject ?4, and whether that is taken for class ?5. 20 are kept (1048576 is 1 << 20, the bit before them).
-- name: task_recent_add
UPDATE answer_day SET recent = (CASE WHEN recent < 1048576 THEN recent << 1 ELSE ((recent << 1) & 1048575) | 1048576 END)
  | (SELECT COALESCE(COALESCE(g.taxon_id, s.label_id, s.guess_id) = ?5, 0)
     FROM subject s LEFT JOIN gold g ON g.subject_id = s.id WHERE s.id = ?4)
WHERE volunteer_id = ?1 AND day = ?2 AND project_id = ?3;

-- Whether a subject is taken for class ?2.
-- name: task_is_of_class
SELECT COALESCE(COALESCE(g.taxon_id, s.label_id, s.guess_id) = ?2, 0)
FROM subject s LEFT JOIN gold g ON g.subject_id = s.id WHERE s.id = ?1;

-- The auto-label of class ?2 that the audits' hash comes to next, not of camera ?3.
-- name: task_extra_audit
SELECT id FROM (SELECT s.id, s.deployment_id, s.audit_u FROM subject s JOIN certificate c ON c.id = s.certificate_id AND c.state <> 'revoked'
WHERE s.project_id = ?1 AND s.label_id = ?2 AND s.state = 'retired' AND s.decided_by = 'model' AND s.audit_u IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.subject_id = s.id AND a.certificate_id = c.id)
ORDER BY s.audit_u LIMIT 20)
WHERE deployment_id <> ?3 ORDER BY audit_u LIMIT 1;

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

-- A dead lease stays for as long as a session lives: an answer given off line may still come.
-- name: task_clean
DELETE FROM task WHERE expires_ms < ?1;

-- name: task_end
DELETE FROM task WHERE subject_id = ?1 AND volunteer_id = ?2;

-- name: task_frames
SELECT id, width_px, height_px, crop_bottom_px FROM media WHERE subject_id = ?1 ORDER BY taken_ms, file_name, id LIMIT ?2;

-- What is labelled most at the subject's camera, where the project's labels weigh as ten at it; read by the project's taxa.
-- name: task_likely
SELECT t.id FROM likely_count p JOIN taxon t ON t.id = p.taxon_id
LEFT JOIN likely_count d ON d.project_id = p.project_id AND d.taxon_id = p.taxon_id
  AND d.deployment_id = (SELECT s.deployment_id FROM subject s WHERE s.id = ?2)
WHERE p.project_id = ?1 AND p.deployment_id = 0 AND p.n > 0 AND t.kind <> 'blank' AND t.retired_ms IS NULL
ORDER BY COALESCE(d.n, 0) + 10.0 * p.n / (SELECT sum(a.n) FROM likely_count a WHERE a.project_id = ?1 AND a.deployment_id = 0)
  DESC, t.id LIMIT ?3;
