-- The model registry.

-- name: registry_add
INSERT INTO model (project_id, name, sha256, arch, backbone, classes, parent_id, spec, report, created_ms)
VALUES (?1, COALESCE(?2, 'm' || (SELECT count(*) + 1 FROM model WHERE project_id = ?1)), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
RETURNING id;

-- name: registry_get
SELECT m.id, m.project_id, m.name, m.sha256, m.arch, m.backbone, m.classes, COALESCE(m.parent_id, 0), m.state, m.spec,
  m.report, m.w0, m.w1, m.n_calibration, m.created_ms, m.promoted_ms,
  (SELECT count(*) FROM model_subject t WHERE t.model_id = m.id),
  (SELECT count(*) FROM prediction p WHERE p.model_id = m.id)
FROM model m WHERE m.id = ?1;

-- name: registry_by_name
SELECT id FROM model WHERE project_id = ?1 AND name = ?2;

-- name: registry_list
SELECT id FROM model WHERE project_id = ?1 ORDER BY id;

-- name: registry_current
SELECT model_id FROM project WHERE id = ?1 AND model_id IS NOT NULL;

-- name: registry_set_state
UPDATE model SET state = ?2, promoted_ms = ?3 WHERE id = ?1;

-- name: registry_set_current
UPDATE project SET model_id = ?2 WHERE id = ?1;

-- name: registry_before
SELECT id, promoted_ms FROM model WHERE project_id = ?1 AND state = 'former' ORDER BY promoted_ms DESC, id DESC LIMIT 1;

-- name: registry_keep_subjects
INSERT INTO model_subject (model_id, subject_id)
SELECT ?1, i.subject_id FROM training_item i WHERE i.job_id = ?2 AND i.split = 'train';

-- name: registry_inherit_subjects
INSERT INTO model_subject (model_id, subject_id) SELECT ?1, t.subject_id FROM model_subject t WHERE t.model_id = ?2
ON CONFLICT (model_id, subject_id) DO NOTHING;
