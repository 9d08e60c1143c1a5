-- Predictions, and what of a model the label model needs.

-- name: prediction_model
SELECT classes, w0, w1, project_id FROM model WHERE id = ?1;

-- name: prediction_add
INSERT INTO prediction (subject_id, model_id, n_frames, top_id, p_top, top, created_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (subject_id, model_id) DO NOTHING;

-- name: prediction_get
SELECT model_id, top FROM prediction WHERE id = ?1;

-- name: prediction_id
SELECT id FROM prediction WHERE subject_id = ?1 AND model_id = ?2;

-- name: prediction_trained_on
SELECT 1 FROM model_subject WHERE model_id = ?1 AND subject_id = ?2;

-- name: prediction_gold
SELECT g.subject_id, g.taxon_id, p.id, p.p_top, p.top_id
FROM gold g JOIN prediction p ON p.subject_id = g.subject_id AND p.model_id = ?2
WHERE g.project_id = ?1 AND g.purpose = 'certify' AND g.taxon_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM model_subject m WHERE m.model_id = ?2 AND m.subject_id = g.subject_id)
ORDER BY g.subject_id;

-- name: prediction_n_sure
SELECT count(*) FROM prediction p JOIN subject s ON s.id = p.subject_id
WHERE p.model_id = ?1 AND p.p_top >= ?2 AND s.state = 'open' AND s.n_answers = 0;

-- name: model_set_calibration
UPDATE model SET w0 = ?2, w1 = ?3, n_calibration = ?4 WHERE id = ?1;

-- name: model_clear_calibration
UPDATE model SET w0 = NULL, w1 = NULL WHERE id = ?1;
