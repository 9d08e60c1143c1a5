-- Deployments: what a person may correct.

-- name: deployment_list
SELECT d.id, d.name, d.latitude_deg, d.longitude_deg, d.utc_offset_s, d.clock_shift_s, d.holdout,
  (SELECT count(*) FROM subject s WHERE s.deployment_id = d.id), d.group_name,
  COALESCE(r.n, 0), COALESCE(r.n_differ, 0), COALESCE(r.n_expected, 0), r.alarm_ms
FROM deployment d JOIN project p ON p.id = d.project_id
LEFT JOIN drift r ON r.deployment_id = d.id AND r.model_id = p.model_id
WHERE d.project_id = ?1 ORDER BY d.name;

-- name: deployment_lookup
SELECT id, utc_offset_s, clock_shift_s FROM deployment WHERE project_id = ?1 AND name = ?2;

-- name: deployment_change
UPDATE deployment SET latitude_deg = COALESCE(?2, latitude_deg), longitude_deg = COALESCE(?3, longitude_deg),
  utc_offset_s = COALESCE(?4, utc_offset_s), clock_shift_s = COALESCE(?5, clock_shift_s),
  holdout = COALESCE(?6, holdout), group_name = COALESCE(?7, group_name)
WHERE id = ?1;

-- name: deployment_span
SELECT min(start_ms), max(end_ms) FROM subject WHERE deployment_id = ?1 AND start_ms IS NOT NULL;

-- name: deployment_move_events
UPDATE subject SET start_ms = start_ms + ?2, end_ms = end_ms + ?2 WHERE deployment_id = ?1 AND start_ms IS NOT NULL;

-- name: deployment_move_media
UPDATE media SET camera_ms = camera_ms + ?2, taken_ms = taken_ms + ?3
WHERE subject_id IN (SELECT id FROM subject WHERE deployment_id = ?1);
