-- Predictions, and what of a model the label model needs.

-- name: prediction_model
SELECT classes, w0, w1, project_id, rest FROM model WHERE id = ?1;

-- name: prediction_add
INSERT INTO prediction (subject_id, model_id, n_frames, top_id, p_top, top, created_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (subject_id, model_id) DO NOTHING;

-- name: prediction_set_heads
UPDATE prediction SET heads = ?3 WHERE subject_id = ?1 AND model_id = ?2;

-- What models have said of an open subject without a label; what a label has stood on stays, as its record.
-- name: prediction_forget
DELETE FROM prediction WHERE subject_id = ?1
  AND EXISTS (SELECT 1 FROM subject s WHERE s.id = ?1 AND s.state = 'open' AND s.label_id IS NULL)
  AND NOT EXISTS (SELECT 1 FROM label_event e WHERE e.subject_id = ?1 AND e.prediction_id = prediction.id);

-- name: prediction_problem_forget
DELETE FROM prediction_problem WHERE subject_id = ?1;

-- name: prediction_get
SELECT p.model_id, p.top, EXISTS (SELECT 1 FROM prediction_unheard u WHERE u.id = p.id) FROM prediction p WHERE p.id = ?1;

-- Certification gold that a model has an opinion of and was not trained on. Where the truth is several species a label of one
-- is wrong: the truth is then one that the model did not name.
-- name: prediction_gold
SELECT g.subject_id, COALESCE((SELECT a.taxon_id FROM label_also a WHERE a.subject_id = g.subject_id AND g.taxon_id = p.top_id
  ORDER BY a.taxon_id LIMIT 1), g.taxon_id), p.p_top, p.top_id, p.id, d.group_name, g.drawn_ms
FROM gold g JOIN prediction p ON p.subject_id = g.subject_id AND p.model_id = ?2
JOIN subject s ON s.id = g.subject_id JOIN deployment d ON d.id = s.deployment_id
WHERE g.project_id = ?1 AND g.purpose = 'certify' AND g.taxon_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM model_subject m WHERE m.model_id = ?2 AND m.subject_id = g.subject_id)
ORDER BY g.subject_id;

-- name: model_n_calibration
SELECT n_calibration FROM model WHERE id = ?1;

-- name: subject_n_untouched
SELECT count(*) FROM subject WHERE project_id = ?1 AND state = 'open' AND n_answers = 0;

-- name: model_set_calibration
UPDATE model SET w0 = ?2, w1 = ?3, rest = ?4, n_calibration = ?5 WHERE id = ?1;

-- A model that has another certificate in force goes on being heard, where that does not follow a revoked one.
-- name: model_clear_calibration
UPDATE model SET w0 = NULL, w1 = NULL WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.model_id = ?1
    AND (c.state = 'active' OR (c.state = 'probation' AND c.after_id IS NULL)));

-- The calibration of a certificate that follows a revoked one, where its model has lost its own.
-- name: model_calibrate_again
UPDATE model SET (w0, w1) = (SELECT c.w0, c.w1 FROM certificate c WHERE c.id = ?2) WHERE id = ?1 AND w0 IS NULL;
