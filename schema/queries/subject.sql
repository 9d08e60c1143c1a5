-- Subjects: what is decided about them, and every change of it.

-- name: subject_get
SELECT project_id, deployment_id, state, blind, n_answers, n_cant_tell, risk, label_id, decided_by, reason,
  decided_ms, prediction_id, certificate_id, taught
FROM subject WHERE id = ?1;

-- name: subject_set_evidence
UPDATE subject SET n_answers = ?2, n_cant_tell = ?3, risk = ?4, priority = ?5 WHERE id = ?1;

-- name: subject_set_label
UPDATE subject SET state = ?2, blind = ?3, label_id = ?4, p_label = ?5, decided_by = ?6, reason = ?7, decided_ms = ?8,
  policy_id = ?9, certificate_id = ?10
WHERE id = ?1;

-- name: subject_set_blind
UPDATE subject SET blind = ?2 WHERE id = ?1;

-- name: subject_set_prediction
UPDATE subject SET prediction_id = ?2 WHERE id = ?1;

-- name: subject_set_taught
UPDATE subject SET taught = 1 WHERE id = ?1 AND taught = 0;

-- name: subject_sweep
SELECT id FROM subject WHERE project_id = ?1 AND id > ?2 AND state = 'open' ORDER BY id LIMIT ?3;

-- name: subject_by_label_of
SELECT id FROM subject WHERE certificate_id = ?1 AND decided_by = 'model' ORDER BY id;

-- name: label_event_add
INSERT INTO label_event (subject_id, at_ms, what, label_id, p_label, risk, decided_by, reason, n_answers,
  classification_id, prediction_id, certificate_id, policy_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);

-- name: vote_list
SELECT c.id, c.volunteer_id, a.taxon_id, c.credited
FROM classification c JOIN annotation a ON a.classification_id = c.id
WHERE c.subject_id = ?1 AND c.answer = 'taxa' AND c.expert = 0 AND c.counted = 1 AND c.superseded_by IS NULL
ORDER BY c.id;

-- name: vote_cant_tell
SELECT count(*) FROM classification
WHERE subject_id = ?1 AND answer = 'cant_tell' AND expert = 0 AND counted = 1 AND superseded_by IS NULL;

-- name: vote_set_credited
UPDATE classification SET credited = 1 WHERE id = ?1;
