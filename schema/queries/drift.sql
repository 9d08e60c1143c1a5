-- Drift by deployment, and audits of what carries an auto-label already.

-- name: drift_get
SELECT n, n_differ, n_expected, log_w1, log_w2, log_w3, alarm_ms FROM drift WHERE model_id = ?1 AND deployment_id = ?2;

-- name: drift_put
INSERT INTO drift (model_id, deployment_id, n, n_differ, n_expected, log_w1, log_w2, log_w3)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (model_id, deployment_id) DO UPDATE SET n = excluded.n, n_differ = excluded.n_differ,
  n_expected = excluded.n_expected, log_w1 = excluded.log_w1, log_w2 = excluded.log_w2, log_w3 = excluded.log_w3;

-- name: drift_alarm
UPDATE drift SET alarm_ms = ?3, why = ?4 WHERE model_id = ?1 AND deployment_id = ?2;

-- Auto-labels in a deployment with an alarm of their model that rate ?2 draws and that no audit was drawn of. (The joins are
-- cross joins so that alarms, of which there are seldom any, are looked for before a project's subjects are.)
-- name: drift_undrawn
SELECT s.id FROM model m CROSS JOIN drift r CROSS JOIN subject s CROSS JOIN certificate c
WHERE m.project_id = ?1 AND r.model_id = m.id AND r.alarm_ms IS NOT NULL
  AND s.deployment_id = r.deployment_id AND s.state = 'retired' AND s.decided_by = 'model' AND s.audit_u < ?2
  AND c.id = s.certificate_id AND c.model_id = r.model_id AND c.state <> 'revoked'
  AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.subject_id = s.id AND a.certificate_id = c.id)
LIMIT ?3;

-- An auto-label that can be audited: its certificate stands, and it was not drawn under it.
-- name: audit_more_of
SELECT c.id, s.label_id, s.audit_u FROM subject s JOIN certificate c ON c.id = s.certificate_id AND c.state <> 'revoked'
WHERE s.id = ?1 AND s.state = 'retired' AND s.decided_by = 'model' AND s.audit_u IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.subject_id = s.id AND a.certificate_id = c.id);

-- name: subject_audit_again
UPDATE subject SET state = 'open', blind = 1 WHERE id = ?1;

-- name: pool_cell
SELECT p FROM pool_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND truth_id = ?2 AND answer_id = ?2;
