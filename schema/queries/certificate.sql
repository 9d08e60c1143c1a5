-- Certificates, the audits that keep them honest, and gold.

-- name: certificate_in_force
SELECT id, model_id, alpha, delta, threshold, audit_rate, state, n_gold, issued_ms FROM certificate
WHERE project_id = ?1 AND state IN ('probation', 'active');

-- name: certificate_get
SELECT id, model_id, alpha, delta, threshold, audit_rate, state, n_gold, issued_ms FROM certificate WHERE id = ?1;

-- name: certificate_last_of_model
SELECT state, n_gold, alpha, delta FROM certificate WHERE model_id = ?1 ORDER BY id DESC LIMIT 1;

-- name: certificate_add
INSERT INTO certificate (project_id, model_id, policy_id, alpha, delta, threshold, n_gold, n_above, n_wrong,
  p_error_upper, audit_rate, state, issued_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'probation', ?12);

-- name: certificate_activate
UPDATE certificate SET state = 'active', active_ms = ?2 WHERE id = ?1;

-- name: certificate_end
UPDATE certificate SET state = ?2, ended_ms = ?3, why = ?4 WHERE id = ?1;

-- name: certificate_list
SELECT c.id, m.name, c.stratum, c.state, c.alpha, c.delta, c.threshold, c.n_gold, c.n_above, c.n_wrong,
  c.p_error_upper, c.audit_rate, c.issued_ms, c.active_ms, c.ended_ms, c.why,
  (SELECT count(*) FROM subject s WHERE s.certificate_id = c.id AND s.decided_by = 'model')
FROM certificate c JOIN model m ON m.id = c.model_id WHERE c.project_id = ?1 ORDER BY c.id;

-- name: probation_get
SELECT ended_ms FROM probation WHERE certificate_id = ?1 AND deployment_id = ?2;

-- name: probation_add
INSERT INTO probation (certificate_id, deployment_id) VALUES (?1, ?2);

-- name: probation_end
UPDATE probation SET ended_ms = ?3 WHERE certificate_id = ?1 AND deployment_id = ?2;

-- name: deployment_has_gold
SELECT 1 FROM gold g JOIN subject s ON s.id = g.subject_id
WHERE s.deployment_id = ?2 AND g.project_id = ?1 AND g.purpose = 'certify' AND g.taxon_id IS NOT NULL
  AND g.drawn_ms <= ?3 LIMIT 1;

-- Subjects whose prediction by the certificate's model is at least so confident, before calibration: those that nobody has
-- looked at, and those that were drawn.
-- name: certificate_n_sure
SELECT count(*) FROM prediction p JOIN subject s ON s.id = p.subject_id JOIN taxon t ON t.id = p.top_id
WHERE p.model_id = ?2 AND p.p_top >= ?3 AND t.protected = 0 AND t.retired_ms IS NULL AND t.kind <> 'blank'
  AND ((s.state = 'open' AND s.n_answers = 0 AND s.n_cant_tell = 0)
       OR EXISTS (SELECT 1 FROM audit a WHERE a.subject_id = s.id AND a.certificate_id = ?1));

-- name: certificate_set_rate
UPDATE certificate SET audit_rate = ?2 WHERE id = ?1;

-- name: audit_add
INSERT INTO audit (subject_id, certificate_id, kind, p_draw, model_label_id, drawn_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (subject_id, certificate_id) DO NOTHING;

-- name: audit_of
SELECT certificate_id, model_label_id, truth_id FROM audit WHERE subject_id = ?1 AND state = ?2 ORDER BY certificate_id DESC LIMIT 1;

-- name: audit_last
SELECT a.certificate_id FROM audit a JOIN certificate c ON c.id = a.certificate_id
WHERE a.subject_id = ?1 AND a.state <> 'void' AND c.state <> 'revoked' ORDER BY a.certificate_id DESC LIMIT 1;

-- name: audit_set
UPDATE audit SET state = ?3, crowd_label_id = ?4, truth_id = ?5, done_ms = ?6 WHERE subject_id = ?1 AND certificate_id = ?2;

-- name: audit_judge
UPDATE audit SET state = ?3, truth_id = ?4, done_ms = ?5 WHERE subject_id = ?1 AND certificate_id = ?2;

-- A row where at least ?2 + 1 audits are done.
-- name: audit_enough
SELECT 1 FROM audit WHERE certificate_id = ?1 AND state = 'done' LIMIT 1 OFFSET ?2;

-- Audits done, the errors among them; shadow audits done, their errors; disagreements that wait for an expert in shadow
-- audits. What was drawn in a deployment on probation of its own is counted there: nothing is labelled in it.
-- name: audit_count
SELECT COALESCE(sum(a.state = 'done'), 0), COALESCE(sum(a.state = 'done' AND a.truth_id <> a.model_label_id), 0),
  COALESCE(sum(a.state = 'done' AND a.kind = 'shadow'), 0),
  COALESCE(sum(a.state = 'done' AND a.kind = 'shadow' AND a.truth_id <> a.model_label_id), 0),
  COALESCE(sum(a.state = 'expert' AND a.kind = 'shadow' AND a.crowd_label_id IS NOT a.model_label_id), 0)
FROM audit a JOIN subject s ON s.id = a.subject_id
WHERE a.certificate_id = ?1 AND a.state IN ('done', 'expert')
  AND NOT EXISTS (SELECT 1 FROM probation b WHERE b.certificate_id = ?1 AND b.deployment_id = s.deployment_id
                  AND b.ended_ms IS NULL);

-- name: audit_count_deployment
SELECT COALESCE(sum(a.state = 'done'), 0), COALESCE(sum(a.state = 'done' AND a.truth_id <> a.model_label_id), 0),
  COALESCE(sum(a.state = 'expert' AND a.crowd_label_id IS NOT a.model_label_id), 0)
FROM audit a JOIN subject s ON s.id = a.subject_id
WHERE a.certificate_id = ?1 AND a.state IN ('done', 'expert') AND s.deployment_id = ?2;

-- Of shadow audits alone where ?2, else of all that are not done.
-- name: audit_unblind
UPDATE subject SET blind = 0
WHERE id IN (SELECT subject_id FROM audit WHERE certificate_id = ?1 AND state IN ('crowd', 'expert')
             AND (kind = 'shadow' OR NOT ?2));

-- name: audit_void
UPDATE audit SET state = 'void' WHERE certificate_id = ?1 AND state IN ('crowd', 'expert') AND (kind = 'shadow' OR NOT ?2);

-- name: gold_label
UPDATE gold SET taxon_id = ?2, expert_id = ?3, labelled_ms = ?4 WHERE subject_id = ?1;

-- name: gold_add
INSERT INTO gold (subject_id, project_id, purpose, p_draw, drawn_ms, plant_u) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: gold_count
SELECT purpose, count(*), COALESCE(sum(taxon_id IS NULL), 0) FROM gold WHERE project_id = ?1 GROUP BY purpose ORDER BY purpose;

-- Whether a subject is certification gold, and nobody waits for the truth of another.
-- name: gold_complete
SELECT 1 FROM gold WHERE subject_id = ?2 AND purpose = 'certify' AND NOT EXISTS (
  SELECT 1 FROM gold g WHERE g.project_id = ?1 AND g.purpose = 'certify' AND g.labelled_ms IS NULL);

-- name: gold_list
SELECT g.subject_id, g.purpose, g.p_draw, COALESCE(t.code, ''), d.name, COALESCE(s.event_name, ''),
  COALESCE((SELECT m.file_name FROM media m WHERE m.subject_id = s.id ORDER BY m.taken_ms, m.file_name LIMIT 1), '')
FROM gold g JOIN subject s ON s.id = g.subject_id JOIN deployment d ON d.id = s.deployment_id
LEFT JOIN taxon t ON t.id = g.taxon_id WHERE g.project_id = ?1 ORDER BY g.subject_id;

-- name: gold_get
SELECT purpose, p_draw, taxon_id FROM gold WHERE subject_id = ?1;

-- The next gold for a volunteer who has neither answered nor holds it.
-- name: gold_to_plant
SELECT g.subject_id FROM gold g JOIN taxon t ON t.id = g.taxon_id
WHERE g.project_id = ?1 AND t.kind NOT IN ('human', 'vehicle') AND t.retired_ms IS NULL
  AND NOT EXISTS (SELECT 1 FROM label_also a JOIN taxon x ON x.id = a.taxon_id
                  WHERE a.subject_id = g.subject_id AND x.kind IN ('human', 'vehicle'))
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = g.subject_id
                  AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.subject_id = g.subject_id AND k.volunteer_id = ?2 AND k.expires_ms > ?3)
ORDER BY g.plant_order LIMIT 1;

-- name: gold_planted
UPDATE gold SET n_planted = n_planted + 1 WHERE subject_id = ?1;

-- name: gold_drawable
SELECT s.id FROM subject s JOIN deployment d ON d.id = s.deployment_id
WHERE s.project_id = ?1 AND s.state = 'open' AND s.n_answers = 0 AND s.n_cant_tell = 0 AND s.blind = 0
  AND d.holdout <= ?2
  AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = s.id)
ORDER BY s.id;

-- name: subject_to_expert
UPDATE subject SET state = 'expert', reason = COALESCE(?2, reason) WHERE id = ?1;
