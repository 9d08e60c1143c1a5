-- Subjects: what is decided about them, and every change of it.

-- name: subject_get
SELECT project_id, deployment_id, state, blind, n_answers, n_cant_tell, risk, label_id, decided_by, reason,
  decided_ms, prediction_id, certificate_id, taught, COALESCE(p_label, 0)
FROM subject WHERE id = ?1;

-- name: subject_set_evidence
UPDATE subject SET n_answers = ?2, n_cant_tell = ?3, risk = ?4, priority = ?5 WHERE id = ?1;

-- name: subject_set_label
UPDATE subject SET state = ?2, blind = ?3, label_id = ?4, p_label = ?5, decided_by = ?6, reason = ?7, decided_ms = ?8,
  policy_id = ?9, certificate_id = ?10
WHERE id = ?1;

-- name: subject_set_blind
UPDATE subject SET blind = ?2 WHERE id = ?1;

-- The opinion of model ?2 becomes the evidence of an open subject: where the model is calibrated (or audits are to show whether
-- it may be heard again) and was not trained on it, and no other model's certificate is in force for the stratum of the opinion
-- that it has. A label keeps the evidence it had.
-- name: subject_adopt
UPDATE subject SET prediction_id = (SELECT p.id FROM prediction p WHERE p.subject_id = ?1 AND p.model_id = ?2)
WHERE id = ?1 AND state = 'open' AND label_id IS NULL
  AND EXISTS (SELECT 1 FROM prediction p JOIN model m ON m.id = p.model_id
              WHERE p.subject_id = ?1 AND p.model_id = ?2 AND (m.w0 IS NOT NULL OR EXISTS (SELECT 1 FROM certificate c WHERE c.model_id = ?2 AND c.state = 'probation')))
  AND NOT EXISTS (SELECT 1 FROM model_subject t WHERE t.model_id = ?2 AND t.subject_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM prediction p JOIN certificate c ON c.model_id = p.model_id
                  JOIN certificate_taxon t ON t.certificate_id = c.id AND t.taxon_id = p.top_id
                  JOIN deployment d ON d.id = subject.deployment_id AND d.group_name = c.group_name
                  WHERE p.id = subject.prediction_id AND p.model_id <> ?2
                    AND (c.state = 'active' OR (c.state = 'probation' AND c.after_id IS NULL)));

-- The evidence that prediction_forget is about to delete is no more in use.
-- name: subject_unhear
UPDATE subject SET prediction_id = NULL WHERE id = ?1 AND state = 'open' AND label_id IS NULL AND prediction_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM label_event e WHERE e.subject_id = ?1 AND e.prediction_id = subject.prediction_id);

-- name: subject_set_audit_u
UPDATE subject SET audit_u = ?2 WHERE id = ?1;

-- name: subject_set_taught
UPDATE subject SET taught = 1 WHERE id = ?1 AND taught = 0;

-- name: subject_sweep
SELECT id FROM subject WHERE project_id = ?1 AND id > ?2 AND state = 'open' ORDER BY id LIMIT ?3;

-- name: subject_revoked
SELECT s.id FROM certificate c JOIN subject s ON s.certificate_id = c.id
WHERE c.project_id = ?1 AND c.state = 'revoked' AND s.decided_by = 'model' LIMIT ?2;

-- name: label_event_add
INSERT INTO label_event (subject_id, at_ms, what, label_id, p_label, risk, decided_by, reason, n_answers,
  classification_id, prediction_id, certificate_id, policy_id, also, refit_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15);

-- One row a species that a vote names, and one without a species a "can't tell".
-- name: vote_list
SELECT c.id, c.volunteer_id, a.taxon_id, c.credited, c.several, c.guess_id, c.answer = 'cant_tell'
FROM classification c LEFT JOIN annotation a ON a.classification_id = c.id
WHERE c.subject_id = ?1 AND c.answer <> 'undone' AND c.expert = 0 AND c.counted = 1 AND c.superseded_by IS NULL
ORDER BY c.id, a.taxon_id;

-- Answers that came after their subject's retirement count from the refit on that has learnt from them (up to ?2).
-- name: vote_count_late
UPDATE classification SET counted = 1
WHERE subject_id = ?1 AND id <= ?2 AND counted = 0 AND planted = 0 AND stained = 0 AND expert = 0 AND answer <> 'undone'
  AND superseded_by IS NULL;

-- name: vote_set_credited
UPDATE classification SET credited = 1 WHERE id = ?1;

-- name: subject_fates
SELECT state, decided_by, label_id, blind FROM subject WHERE project_id = ?1 ORDER BY id;
