-- Several species in one subject: labels that name more than one, and how often people name what is there.

-- name: label_also_clear
DELETE FROM label_also WHERE subject_id = ?1;

-- name: label_also_list
SELECT taxon_id FROM label_also WHERE subject_id = ?1 ORDER BY taxon_id;

-- name: label_also_add
INSERT INTO label_also (subject_id, taxon_id) VALUES (?1, ?2);

-- name: set_rates
SELECT taxon_id, hit, miss, alarm, quiet, p_miss, p_alarm FROM set_rate WHERE project_id = ?1;

-- name: set_rate_put
INSERT INTO set_rate (project_id, taxon_id, p_miss, p_alarm) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (project_id, taxon_id) DO UPDATE SET p_miss = excluded.p_miss, p_alarm = excluded.p_alarm;

-- name: set_rate_teach
UPDATE set_rate SET hit = hit + ?3, miss = miss + ?4, alarm = alarm + ?5, quiet = quiet + ?6
WHERE project_id = ?1 AND taxon_id = ?2;

-- name: subject_protected
SELECT s.id FROM taxon t JOIN subject s ON s.label_id = t.id AND s.decided_by = 'model'
WHERE t.project_id = ?1 AND t.protected = 1 LIMIT ?2;

-- Subjects in the expert queue, the first to be handed out first, and why each is there. A gold draw gives no reason; the
-- policy's "an expert decides protected taxa" is stored as 'expert'.
-- name: expert_list
SELECT s.id, d.name, COALESCE(s.event_name, ''), s.start_ms,
  CASE WHEN EXISTS (SELECT 1 FROM flag f WHERE f.subject_id = s.id AND f.kind IN ('person', 'offensive') AND f.closed_ms IS NULL)
    THEN 'flagged' WHEN s.reason IS NULL OR EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = s.id AND g.labelled_ms IS NULL) THEN 'gold'
    WHEN s.reason = 'expert' THEN 'protected' ELSE s.reason END,
  s.n_answers, s.n_cant_tell, s.risk, COALESCE(t.code, ''),
  (SELECT max(e.at_ms) FROM label_event e WHERE e.subject_id = s.id AND e.what = 'to_expert'), d.utc_offset_s
FROM subject s JOIN deployment d ON d.id = s.deployment_id LEFT JOIN taxon t ON t.id = s.label_id
WHERE s.project_id = ?1 AND s.state = 'expert' AND s.state <> 'retired'
ORDER BY s.priority DESC, s.id;
