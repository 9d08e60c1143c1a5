-- What an export reads. Every statement that walks a table goes by its id: the unary plus keeps the planner from an
-- index whose order would have to be sorted in memory, so that ten million rows stream in constant memory.

-- name: export_subjects
SELECT s.id, d.name, s.event_name, s.start_ms, s.end_ms, d.utc_offset_s, t.code, t.scientific_name,
  s.state, s.decided_by, CASE WHEN s.state = 'expert' AND s.reason = 'expert' THEN 'protected' ELSE s.reason END, s.p_label, s.n_answers, s.n_cant_tell, m.name, s.certificate_id, p.version,
  s.decided_ms, g.purpose,
  (SELECT a.kind || ':' || a.state FROM audit a WHERE a.subject_id = s.id ORDER BY a.certificate_id DESC LIMIT 1),
  s.label_id, r.heads
FROM subject s
LEFT JOIN deployment d ON d.id = s.deployment_id
LEFT JOIN taxon t ON t.id = s.label_id
LEFT JOIN prediction r ON r.id = s.prediction_id
LEFT JOIN model m ON m.id = r.model_id
LEFT JOIN policy p ON p.id = s.policy_id
LEFT JOIN gold g ON g.subject_id = s.id
WHERE +s.project_id = ?1
ORDER BY s.id;

-- name: export_files
SELECT file_name FROM media WHERE subject_id = ?1 ORDER BY taken_ms, file_name;

-- name: export_classifications
SELECT c.id, lower(hex(c.uuid)), c.subject_id, d.name, c.volunteer_id, c.answer, t.code, t.scientific_name, n.count,
  n.details, c.counted, c.expert, c.blind, c.credited, c.superseded_by,
  CASE WHEN c.guess_id IS NULL THEN 'survey' ELSE 'confirm' END, gc.code, gm.name, c.told, p.version, m.name, c.duration_ms,
  c.created_ms, l.code, g.purpose, gt.code, c.several
FROM classification c
LEFT JOIN subject s ON s.id = c.subject_id
LEFT JOIN deployment d ON d.id = s.deployment_id
LEFT JOIN annotation n ON n.classification_id = c.id
LEFT JOIN taxon t ON t.id = n.taxon_id
LEFT JOIN policy p ON p.id = c.policy_id
LEFT JOIN model m ON m.id = c.model_id
LEFT JOIN taxon gc ON gc.id = c.guess_id
LEFT JOIN model gm ON gm.id = c.guess_model_id
LEFT JOIN taxon l ON l.id = s.label_id
LEFT JOIN gold g ON g.subject_id = c.subject_id
LEFT JOIN taxon gt ON gt.id = g.taxon_id
WHERE +c.project_id = ?1
ORDER BY c.id, n.taxon_id;

-- The first and the last moment come from the subjects' own index: events of a deployment never overlap, so the one
-- that starts last ends last.
-- name: export_deployments
SELECT d.id, d.name, d.latitude_deg, d.longitude_deg, d.utc_offset_s, d.clock_shift_s,
  (SELECT min(s.start_ms) FROM subject s WHERE s.deployment_id = d.id AND s.start_ms IS NOT NULL),
  (SELECT s.end_ms FROM subject s WHERE s.deployment_id = d.id AND s.start_ms IS NOT NULL
   ORDER BY s.start_ms DESC LIMIT 1)
FROM deployment d
WHERE d.project_id = ?1 AND EXISTS (SELECT 1 FROM subject s WHERE s.deployment_id = d.id)
ORDER BY d.id;

-- Photographs without a time, and capture events without one that have no photograph left.
-- name: export_untimed
SELECT (SELECT count(*) FROM media m WHERE m.project_id = ?1 AND m.taken_ms IS NULL)
  + (SELECT count(*) FROM subject s WHERE s.project_id = ?1 AND s.start_ms IS NULL
     AND NOT EXISTS (SELECT 1 FROM media m WHERE m.subject_id = s.id));

-- The expert is whoever gave the gold, else whoever gave the last verdict in force.
-- name: export_events
SELECT s.id, s.deployment_id, s.event_name, s.start_ms, s.end_ms, s.state, s.reason, s.label_id, s.decided_by,
  s.decided_ms, s.p_label, s.certificate_id, m.name, lower(hex(m.sha256)),
  CASE WHEN s.decided_by = 'expert' THEN COALESCE(g.expert_id,
    (SELECT c.volunteer_id FROM classification c WHERE c.subject_id = s.id AND c.expert = 1 AND c.answer = 'taxa'
     AND c.superseded_by IS NULL ORDER BY c.id DESC LIMIT 1)) END
FROM subject s
LEFT JOIN prediction r ON r.id = s.prediction_id
LEFT JOIN model m ON m.id = r.model_id
LEFT JOIN gold g ON g.subject_id = s.id
WHERE +s.project_id = ?1
ORDER BY s.id;

-- What the answers in force said about one species.
-- name: export_species
SELECT n.count, n.details
FROM classification c JOIN annotation n ON n.classification_id = c.id
WHERE c.subject_id = ?1 AND n.taxon_id = ?2 AND c.superseded_by IS NULL AND c.answer = 'taxa'
ORDER BY c.id;

-- name: export_media
SELECT m.id, s.deployment_id, m.taken_ms, lower(hex(m.sha256)), m.file_name, s.label_id,
  EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = m.subject_id)
FROM media m
LEFT JOIN subject s ON s.id = m.subject_id
WHERE +m.project_id = ?1
ORDER BY m.id;
