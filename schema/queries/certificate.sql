-- Certificates, the audits that keep them honest, and gold.

-- name: certificate_in_force
SELECT id, model_id FROM certificate
WHERE project_id = ?1 AND group_name = ?2 AND stratum = ?3 AND state IN ('probation', 'active');

-- The certificate under which the opinion in use of a subject would label it, and what that opinion is. The last column: it
-- follows a revoked one.
-- name: certificate_for
SELECT c.id, c.model_id, c.alpha, c.delta, c.p_top_min, c.audit_rate, c.state, c.issued_ms, p.top_id,
  c.after_id IS NOT NULL
FROM subject s JOIN deployment d ON d.id = s.deployment_id JOIN prediction p ON p.id = s.prediction_id
JOIN certificate c ON c.project_id = s.project_id AND c.group_name = d.group_name AND c.state IN ('probation', 'active')
  AND c.model_id = p.model_id AND p.p_top >= c.p_top_min
JOIN certificate_taxon t ON t.certificate_id = c.id AND t.taxon_id = p.top_id
WHERE s.id = ?1;

-- name: certificate_get
SELECT id, model_id, alpha, delta, p_top_min, audit_rate, state, issued_ms, after_id FROM certificate WHERE id = ?1;

-- name: certificate_last_of_stratum
SELECT id, state, n_gold, alpha, delta, delta_share, after_id IS NOT NULL, COALESCE(ended_ms, issued_ms) FROM certificate
WHERE model_id = ?1 AND group_name = ?2 AND stratum = ?3 ORDER BY id DESC LIMIT 1;

-- A model's revoked certificates of a stratum, the newest first, since the last one whose shadow audits made good for those
-- before, at a promise no laxer than alpha ?4.
-- name: certificate_revoked
SELECT c.id, c.delta FROM certificate c
WHERE c.model_id = ?1 AND c.group_name = ?2 AND c.stratum = ?3 AND c.state = 'revoked'
  AND NOT EXISTS (SELECT 1 FROM certificate f WHERE f.model_id = ?1 AND f.group_name = ?2 AND f.stratum = ?3 AND f.id > c.id
                  AND f.after_id IS NOT NULL AND f.active_ms IS NOT NULL AND f.state <> 'revoked' AND f.alpha <= ?4)
ORDER BY c.id DESC;

-- A model's certificates in force.
-- name: certificate_of_model
SELECT id, group_name, stratum, state FROM certificate
WHERE model_id = ?1 AND state IN ('probation', 'active') ORDER BY id;

-- name: certificate_add
INSERT INTO certificate (project_id, model_id, policy_id, group_name, stratum, alpha, delta, delta_share, n_strata,
  p_top_min, threshold, w0, w1, n_gold, n_above, n_wrong, p_error_upper, audit_rate, state, issued_ms, after_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, 'probation', ?19, ?20);

-- The certificate in force of the model and stratum of ?1, where it follows none and promises an error below ?2.
-- name: certificate_successor
SELECT n.id FROM certificate c JOIN certificate n ON n.model_id = c.model_id AND n.group_name = c.group_name
  AND n.stratum = c.stratum AND n.id > c.id AND n.state IN ('probation', 'active')
WHERE c.id = ?1 AND n.after_id IS NULL AND n.alpha < ?2;

-- One that follows ?3, which was revoked: the same as ?1 in all but its audits.
-- name: certificate_add_after
INSERT INTO certificate (project_id, model_id, policy_id, group_name, stratum, alpha, delta, delta_share, n_strata,
  p_top_min, threshold, w0, w1, n_gold, n_above, n_wrong, p_error_upper, audit_rate, state, issued_ms, after_id)
SELECT project_id, model_id, policy_id, group_name, stratum, alpha, delta, delta_share, n_strata,
  p_top_min, threshold, w0, w1, n_gold, n_above, n_wrong, p_error_upper, 0, 'probation', ?2, ?3
FROM certificate WHERE id = ?1;

-- name: certificate_taxa
SELECT taxon_id FROM certificate_taxon WHERE certificate_id = ?1;

-- name: certificate_taxa_copy
INSERT INTO certificate_taxon (certificate_id, taxon_id) SELECT ?2, taxon_id FROM certificate_taxon WHERE certificate_id = ?1;

-- name: certificate_gold_copy
INSERT INTO certificate_gold (certificate_id, subject_id, prediction_id, truth_id)
SELECT ?2, subject_id, prediction_id, truth_id FROM certificate_gold WHERE certificate_id = ?1;

-- name: certificate_taxon_add
INSERT INTO certificate_taxon (certificate_id, taxon_id) VALUES (?1, ?2);

-- name: certificate_gold_add
INSERT INTO certificate_gold (certificate_id, subject_id, prediction_id, truth_id) VALUES (?1, ?2, ?3, ?4);

-- name: certificate_activate
UPDATE certificate SET state = 'active', active_ms = ?2 WHERE id = ?1;

-- name: certificate_end
UPDATE certificate SET state = ?2, ended_ms = ?3, why = ?4 WHERE id = ?1;

-- name: certificate_list
SELECT c.id, m.name, c.stratum, c.state, c.alpha, c.delta, c.threshold, c.n_gold, c.n_above, c.n_wrong,
  c.p_error_upper, c.audit_rate, c.issued_ms, c.active_ms, c.ended_ms, c.why,
  (SELECT count(*) FROM subject s WHERE s.certificate_id = c.id AND s.decided_by = 'model'),
  c.group_name, c.delta_share, c.n_strata, q.version, c.p_top_min, c.after_id
FROM certificate c JOIN model m ON m.id = c.model_id JOIN policy q ON q.id = c.policy_id
WHERE c.project_id = ?1 ORDER BY c.id;

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

-- Subjects that a certificate would label: those that nobody has looked at, and those that were drawn; while labels are taken
-- back that the one before it made, those too.
-- name: certificate_n_sure
SELECT count(*) FROM certificate c JOIN prediction p ON p.model_id = c.model_id AND p.p_top >= c.p_top_min
JOIN certificate_taxon ct ON ct.certificate_id = c.id AND ct.taxon_id = p.top_id
JOIN taxon t ON t.id = p.top_id AND t.protected = 0 AND t.retired_ms IS NULL
JOIN subject s ON s.id = p.subject_id JOIN deployment d ON d.id = s.deployment_id AND d.group_name = c.group_name
WHERE c.id = ?1
  AND (((s.state = 'open' OR (s.decided_by = 'model' AND s.certificate_id = c.after_id)) AND s.n_answers = 0 AND s.n_cant_tell = 0)
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

-- Whether a subject is certification gold, and nobody waits for the truth of another.
-- name: gold_complete
SELECT 1 FROM gold WHERE subject_id = ?2 AND purpose = 'certify' AND NOT EXISTS (
  SELECT 1 FROM gold g WHERE g.project_id = ?1 AND g.purpose = 'certify' AND g.labelled_ms IS NULL);

-- name: gold_list
SELECT g.subject_id, g.purpose, g.p_draw, COALESCE(t.code, ''), d.name, COALESCE(s.event_name, ''),
  COALESCE((SELECT m.file_name FROM media m WHERE m.subject_id = s.id ORDER BY m.taken_ms, m.file_name LIMIT 1), ''),
  (SELECT json_group_array(x.code) FROM (SELECT x.code FROM label_also a JOIN taxon x ON x.id = a.taxon_id
     WHERE a.subject_id = g.subject_id AND g.taxon_id IS NOT NULL ORDER BY x.position, x.id) x)
FROM gold g JOIN subject s ON s.id = g.subject_id JOIN deployment d ON d.id = s.deployment_id
LEFT JOIN taxon t ON t.id = g.taxon_id WHERE g.project_id = ?1 ORDER BY g.subject_id;

-- name: gold_get
SELECT purpose, p_draw, taxon_id FROM gold WHERE subject_id = ?1;

-- The next gold for a volunteer who has neither answered nor holds it, not of camera ?4; so many are looked at.
-- name: gold_to_plant
SELECT x.subject_id FROM (SELECT g.subject_id, g.plant_order FROM gold g JOIN taxon t ON t.id = g.taxon_id
WHERE g.project_id = ?1 AND t.kind NOT IN ('human', 'vehicle') AND t.retired_ms IS NULL
  AND NOT EXISTS (SELECT 1 FROM label_also a JOIN taxon x ON x.id = a.taxon_id
                  WHERE a.subject_id = g.subject_id AND x.kind IN ('human', 'vehicle'))
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = g.subject_id
                  AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.subject_id = g.subject_id AND k.volunteer_id = ?2 AND k.expires_ms > ?3)
  AND NOT EXISTS (SELECT 1 FROM practised r WHERE r.volunteer_id = ?2 AND r.subject_id = g.subject_id)
  AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = g.subject_id)
ORDER BY g.plant_order LIMIT 20) x JOIN subject s ON s.id = x.subject_id
WHERE s.deployment_id <> ?4 ORDER BY x.plant_order LIMIT 1;

-- The same, of class ?5.
-- name: gold_of_class_to_plant
SELECT x.subject_id FROM (SELECT g.subject_id, g.plant_order FROM gold g
WHERE g.project_id = ?1 AND g.taxon_id = ?5
  AND NOT EXISTS (SELECT 1 FROM label_also a JOIN taxon x ON x.id = a.taxon_id
                  WHERE a.subject_id = g.subject_id AND x.kind IN ('human', 'vehicle'))
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = g.subject_id
                  AND c.superseded_by IS NULL AND c.answer <> 'undone')
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.subject_id = g.subject_id AND k.volunteer_id = ?2 AND k.expires_ms > ?3)
  AND NOT EXISTS (SELECT 1 FROM practised r WHERE r.volunteer_id = ?2 AND r.subject_id = g.subject_id)
  AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = g.subject_id)
ORDER BY g.plant_order LIMIT 20) x JOIN subject s ON s.id = x.subject_id
WHERE s.deployment_id <> ?4 ORDER BY x.plant_order LIMIT 1;

-- name: gold_blank_class
SELECT id FROM taxon WHERE project_id = ?1 AND kind = 'blank' AND retired_ms IS NULL;

-- The animal that a volunteer has met least in planted gold, of those there is some left of for them; among equals the one
-- with the fewest labels.
-- name: gold_class_met_least
WITH met AS (SELECT g.taxon_id AS id, count(*) AS n FROM classification c JOIN gold g ON g.subject_id = c.subject_id
  WHERE c.volunteer_id = ?2 AND c.project_id = ?1 AND c.planted = 1 AND c.superseded_by IS NULL AND c.answer <> 'undone'
  GROUP BY g.taxon_id)
SELECT t.id FROM taxon t LEFT JOIN met m ON m.id = t.id
LEFT JOIN class_prior p ON p.project_id = t.project_id AND p.taxon_id = t.id
WHERE t.project_id = ?1 AND t.kind = 'animal' AND t.retired_ms IS NULL
  AND EXISTS (SELECT 1 FROM gold g WHERE g.project_id = ?1 AND g.taxon_id = t.id
    AND NOT EXISTS (SELECT 1 FROM label_also a JOIN taxon x ON x.id = a.taxon_id
                    WHERE a.subject_id = g.subject_id AND x.kind IN ('human', 'vehicle'))
    AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = g.subject_id
                    AND c.superseded_by IS NULL AND c.answer <> 'undone')
    AND NOT EXISTS (SELECT 1 FROM task k WHERE k.subject_id = g.subject_id AND k.volunteer_id = ?2 AND k.expires_ms > ?3)
    AND NOT EXISTS (SELECT 1 FROM practised r WHERE r.volunteer_id = ?2 AND r.subject_id = g.subject_id)
    AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = g.subject_id))
ORDER BY COALESCE(m.n, 0), COALESCE(p.n, 0), t.id LIMIT 1;

-- name: gold_planted
UPDATE gold SET n_planted = n_planted + 1 WHERE subject_id = ?1;

-- name: gold_drawable
SELECT s.id, COALESCE(s.guess_id, 0) FROM subject s JOIN deployment d ON d.id = s.deployment_id
WHERE s.project_id = ?1 AND s.state = 'open' AND s.n_answers = 0 AND s.n_cant_tell = 0 AND s.blind = 0
  AND d.holdout <= ?2
  AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = s.id)
ORDER BY s.id;

-- name: subject_to_expert
UPDATE subject SET state = 'expert', reason = COALESCE(?2, reason) WHERE id = ?1;

-- All of one certificate, with the rules of the policy that it was issued under.
-- name: certificate_stored
SELECT c.project_id, c.model_id, c.stratum, c.alpha, c.delta, c.delta_share, c.n_strata, c.p_top_min, c.threshold, c.w0, c.w1,
  c.n_gold, c.n_above, c.n_wrong, c.p_error_upper, c.state, c.active_ms, q.rules,
  (SELECT p.sweep_id IS NOT NULL FROM project p WHERE p.id = c.project_id), c.after_id,
  (SELECT f.state = 'revoked' AND f.id < c.id AND f.model_id = c.model_id AND f.group_name = c.group_name
     AND f.stratum = c.stratum FROM certificate f WHERE f.id = c.after_id)
FROM certificate c JOIN policy q ON q.id = c.policy_id WHERE c.id = ?1;

-- The gold that a certificate stands on, and what it says today; whether the model says a class of the certificate's, and was
-- trained on it.
-- name: certificate_gold_of
SELECT cg.subject_id, p.p_top, p.top_id, cg.truth_id, COALESCE((SELECT a.taxon_id FROM label_also a
    WHERE a.subject_id = g.subject_id AND g.taxon_id = p.top_id ORDER BY a.taxon_id LIMIT 1), g.taxon_id, 0),
  COALESCE(g.purpose = 'certify', 0),
  EXISTS (SELECT 1 FROM certificate_taxon t WHERE t.certificate_id = cg.certificate_id AND t.taxon_id = p.top_id),
  EXISTS (SELECT 1 FROM model_subject m WHERE m.model_id = p.model_id AND m.subject_id = cg.subject_id)
FROM certificate_gold cg JOIN prediction p ON p.id = cg.prediction_id LEFT JOIN gold g ON g.subject_id = cg.subject_id
WHERE cg.certificate_id = ?1 ORDER BY cg.subject_id;

-- name: certificate_said
SELECT ct.taxon_id, t.code, t.kind, (SELECT count(*) FROM certificate_gold cg JOIN prediction p ON p.id = cg.prediction_id
  WHERE cg.certificate_id = ct.certificate_id AND p.top_id = ct.taxon_id)
FROM certificate_taxon ct JOIN taxon t ON t.id = ct.taxon_id WHERE ct.certificate_id = ?1 ORDER BY t.position, t.id;

-- Its audits, and what its model says of the subject; whether it is done without a truth or the reverse.
-- name: certificate_audits
SELECT a.subject_id, a.kind, a.p_draw, a.model_label_id, COALESCE(p.top_id, 0),
  (a.state = 'done') <> (a.truth_id IS NOT NULL)
FROM audit a JOIN certificate c ON c.id = a.certificate_id
LEFT JOIN prediction p ON p.subject_id = a.subject_id AND p.model_id = c.model_id
WHERE a.certificate_id = ?1 ORDER BY a.subject_id;

-- Shadow audits done, and the errors among them, when the probation ended; as audit_count.
-- name: certificate_probation_count
SELECT count(*), COALESCE(sum(a.truth_id <> a.model_label_id), 0)
FROM audit a JOIN subject s ON s.id = a.subject_id JOIN certificate c ON c.id = a.certificate_id
WHERE a.certificate_id = ?1 AND a.state = 'done' AND a.kind = 'shadow' AND a.done_ms <= c.active_ms
  AND NOT EXISTS (SELECT 1 FROM probation b WHERE b.certificate_id = ?1 AND b.deployment_id = s.deployment_id
                  AND (b.ended_ms IS NULL OR b.ended_ms > c.active_ms));

-- Labels that stand on a certificate, and those among them that it does not cover.
-- name: certificate_labels
SELECT count(*), COALESCE(sum(NOT (p.id IS NOT NULL AND p.model_id = c.model_id AND p.p_top >= c.p_top_min
  AND p.top_id = s.label_id AND EXISTS (SELECT 1 FROM certificate_taxon t WHERE t.certificate_id = c.id AND t.taxon_id = p.top_id))), 0)
FROM certificate c JOIN subject s ON s.certificate_id = c.id AND s.decided_by = 'model'
LEFT JOIN prediction p ON p.id = s.prediction_id WHERE c.id = ?1;

-- name: certificate_probations
SELECT d.name, b.ended_ms FROM probation b JOIN deployment d ON d.id = b.deployment_id WHERE b.certificate_id = ?1 ORDER BY d.name;

-- name: certificate_audit_states
SELECT kind, state, count(*), min(p_draw), max(p_draw) FROM audit WHERE certificate_id = ?1 GROUP BY kind, state ORDER BY kind, state;
