-- The full refit: what it reads, the set of skills that it writes, and the subjects that it decides again.

-- name: refit_last_answer
SELECT COALESCE(max(id), 0) FROM classification;

-- Everything that volunteers answered and that stands, but to subjects of several species: taxon NULL is "can't tell". Of answers
-- to planted gold the first counts, whatever was taken back since: by then the truth may be known. A guess that was shown makes
-- it an answer to a card.
-- name: refit_answers
SELECT c.id, c.subject_id, c.volunteer_id, a.taxon_id, c.planted, c.counted, g.purpose, g.taxon_id, c.guess_id
FROM classification c LEFT JOIN annotation a ON a.classification_id = c.id
LEFT JOIN gold g ON c.planted = 1 AND g.subject_id = c.subject_id
WHERE c.project_id = ?1 AND c.answer <> 'undone' AND c.expert = 0 AND c.stained = 0
  AND c.subject_id NOT IN (SELECT b.subject_id FROM classification b WHERE b.several = 1
    UNION SELECT l.subject_id FROM label_also l)
  AND CASE c.planted WHEN 0 THEN c.superseded_by IS NULL ELSE NOT EXISTS (
    SELECT 1 FROM classification e
    WHERE e.subject_id = c.subject_id AND e.volunteer_id = c.volunteer_id AND e.planted = 1 AND e.id < c.id) END
ORDER BY c.id;

-- A subject, the truth where an expert gave it, and the prediction that is heard.
-- name: refit_subject
SELECT s.state, s.blind, s.decided_by, s.reason, s.label_id, s.risk,
  CASE WHEN s.decided_by = 'expert' THEN s.label_id ELSE g.taxon_id END, p.model_id, p.top
FROM subject s LEFT JOIN gold g ON g.subject_id = s.id
LEFT JOIN prediction p ON p.id = s.prediction_id AND s.blind = 0 AND COALESCE(s.reason, '') <> 'audit'
  AND NOT EXISTS (SELECT 1 FROM model_subject m WHERE m.model_id = p.model_id AND m.subject_id = s.id)
  AND NOT EXISTS (SELECT 1 FROM prediction_unheard u WHERE u.id = p.id)
WHERE s.id = ?1;

-- name: refit_skills
SELECT volunteer_id, lambda, prec FROM skill
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) ORDER BY volunteer_id;

-- name: refit_skill_cells
SELECT volunteer_id, truth_id, answer_id, weight FROM skill_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1)
ORDER BY volunteer_id, answer_id, truth_id;

-- Certification gold and what the promoted model ?2 says of it.
-- name: refit_gold
SELECT g.subject_id, g.taxon_id, p.model_id, p.top, g.p_draw, g.drawn_ms FROM gold g
LEFT JOIN prediction p ON p.subject_id = g.subject_id AND p.model_id = ?2
  AND NOT EXISTS (SELECT 1 FROM model_subject m WHERE m.model_id = p.model_id AND m.subject_id = g.subject_id)
  AND NOT EXISTS (SELECT 1 FROM prediction_unheard u WHERE u.id = p.id)
WHERE g.project_id = ?1 AND g.purpose = 'certify' AND g.taxon_id IS NOT NULL ORDER BY g.plant_u, g.subject_id;

-- name: refit_unfinished
SELECT id, state, last_id FROM refit WHERE project_id = ?1 AND state <> 'done';

-- name: refit_add
INSERT INTO refit (project_id, policy_id, state, last_id, n_answers, n_subjects, n_volunteers, n_passes, moved, kappa, gamma,
  n_gold_fit, n_gold_check, loss, loss_default, n_gold_sure, n_gold_wrong, p_gold_wrong, started_ms, own_prior)
VALUES (?1, ?2, 'staging', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19);

-- name: refit_add_skill
INSERT INTO skill (project_id, refit_id, volunteer_id, lambda, prec, n_credited, row_sums) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- name: refit_add_skill_cell
INSERT INTO skill_cell (project_id, refit_id, volunteer_id, truth_id, answer_id, weight) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: refit_add_pool_cell
INSERT INTO pool_cell (project_id, refit_id, truth_id, answer_id, weight, p) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: refit_add_subject
INSERT INTO refit_subject (refit_id, subject_id) VALUES (?1, ?2);

-- name: refit_put_in_force
UPDATE project SET refit_id = ?2 WHERE id = ?1;

-- What was credited while the refit ran was credited to the set that is gone: it counts at the next.
-- name: refit_forget_credit
UPDATE classification SET credited = 0 WHERE id > ?2 AND project_id = ?1 AND credited = 1;

-- name: refit_set_state
UPDATE refit SET state = ?2, finished_ms = ?3 WHERE id = ?1;

-- name: refit_waiting
SELECT subject_id FROM refit_subject WHERE refit_id = ?1 ORDER BY subject_id LIMIT ?2;

-- name: refit_seen
DELETE FROM refit_subject WHERE refit_id = ?1 AND subject_id = ?2;

-- name: refit_count
UPDATE refit SET n_reopened = n_reopened + ?2, n_relabelled = n_relabelled + ?3, n_retired = n_retired + ?4 WHERE id = ?1;

-- A set of skills that is not in force, in pieces. (Two ranges, so that the set in force is never walked through.)
-- name: refit_old_skill
SELECT refit_id, volunteer_id FROM skill WHERE project_id = ?1 AND refit_id = (SELECT u.refit_id FROM (
  SELECT refit_id FROM skill WHERE project_id = ?1 AND refit_id < (SELECT refit_id FROM project WHERE id = ?1) UNION ALL
  SELECT refit_id FROM skill WHERE project_id = ?1 AND refit_id > (SELECT refit_id FROM project WHERE id = ?1)) u LIMIT 1)
ORDER BY volunteer_id LIMIT ?2;

-- name: refit_old_cells
SELECT DISTINCT refit_id, volunteer_id, answer_id FROM skill_cell WHERE project_id = ?1 AND refit_id = (SELECT u.refit_id FROM (
  SELECT refit_id FROM skill_cell WHERE project_id = ?1 AND refit_id < (SELECT refit_id FROM project WHERE id = ?1) UNION ALL
  SELECT refit_id FROM skill_cell WHERE project_id = ?1 AND refit_id > (SELECT refit_id FROM project WHERE id = ?1)) u LIMIT 1)
ORDER BY volunteer_id, answer_id LIMIT ?2;

-- name: refit_old_pool
SELECT DISTINCT refit_id, answer_id FROM pool_cell WHERE project_id = ?1 AND refit_id = (SELECT u.refit_id FROM (
  SELECT refit_id FROM pool_cell WHERE project_id = ?1 AND refit_id < (SELECT refit_id FROM project WHERE id = ?1) UNION ALL
  SELECT refit_id FROM pool_cell WHERE project_id = ?1 AND refit_id > (SELECT refit_id FROM project WHERE id = ?1)) u LIMIT 1)
ORDER BY answer_id LIMIT ?2;

-- name: refit_drop_skill
DELETE FROM skill WHERE project_id = ?1 AND refit_id = ?2 AND volunteer_id = ?3;

-- name: refit_drop_cells
DELETE FROM skill_cell WHERE project_id = ?1 AND refit_id = ?2 AND volunteer_id = ?3 AND answer_id = ?4;

-- name: refit_drop_pool
DELETE FROM pool_cell WHERE project_id = ?1 AND refit_id = ?2 AND answer_id = ?3;

-- name: refit_drop
DELETE FROM refit WHERE id = ?1;

-- name: refit_last
SELECT r.id, r.state, r.n_answers, r.n_subjects, r.n_volunteers, r.n_passes, r.moved, r.kappa, r.gamma, r.n_gold_fit,
  r.n_gold_check, r.loss, r.loss_default, r.n_reopened, r.n_relabelled, r.n_retired, r.started_ms, r.finished_ms, q.version,
  r.n_gold_sure, r.n_gold_wrong, r.p_gold_wrong, r.own_prior
FROM refit r JOIN policy q ON q.id = r.policy_id
WHERE r.project_id = ?1 AND r.state <> 'staging' ORDER BY r.id DESC LIMIT 1;

-- Labels by who decided, and the mean risk that they were decided at.
-- name: refit_promised
SELECT decided_by, count(*), avg(1 - p_label) FROM subject WHERE project_id = ?1 AND label_id IS NOT NULL
GROUP BY decided_by ORDER BY decided_by;

-- Projects after ?1 with answers that no refit has learnt from, or a refit that was broken off. The clock is the caller's.
-- name: refit_news
SELECT p.id, COALESCE((SELECT max(r.started_ms) FROM refit r WHERE r.project_id = p.id), p.created_ms),
  EXISTS (SELECT 1 FROM refit r WHERE r.project_id = p.id AND r.state <> 'done')
FROM project p
WHERE p.id > ?1 AND (EXISTS (SELECT 1 FROM refit r WHERE r.project_id = p.id AND r.state <> 'done')
  OR EXISTS (SELECT 1 FROM classification c WHERE c.project_id = p.id AND c.answer <> 'undone'
             AND c.id > COALESCE((SELECT max(r.last_id) FROM refit r WHERE r.project_id = p.id), 0)))
ORDER BY p.id;
