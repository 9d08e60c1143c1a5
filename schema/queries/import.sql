-- Photographs on their way in.

-- name: media_known
SELECT subject_id FROM media WHERE project_id = ?1 AND sha256 = ?2;

-- name: media_add
INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, file_name, link_path, width_px, height_px,
  crop_bottom_px, camera_ms, taken_ms, metadata, created_ms, focus_x, focus_y, focus_width, focus_height,
  focus_strength, model_px)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20);

-- What a camera has photographed, in order of time: what its new photographs are compared with.
-- name: media_of_deployment
SELECT m.sha256, m.crop_bottom_px, m.taken_ms FROM subject s JOIN media m ON m.subject_id = s.id
WHERE s.deployment_id = ?1 ORDER BY m.taken_ms, m.file_name;

-- name: import_problem_add
INSERT INTO import_problem (project_id, at_ms, file_name, reason) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (project_id, file_name) DO UPDATE SET at_ms = excluded.at_ms, reason = excluded.reason;

-- name: gold_code
SELECT t.code FROM gold g LEFT JOIN taxon t ON t.id = g.taxon_id WHERE g.subject_id = ?1;

-- name: deployment_find
SELECT id, latitude_deg, longitude_deg, utc_offset_s, clock_shift_s, crop_bottom_px
FROM deployment WHERE project_id = ?1 AND name = ?2;

-- name: deployment_add
INSERT INTO deployment (project_id, name, latitude_deg, longitude_deg, utc_offset_s, crop_bottom_px, created_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- name: subject_add
INSERT INTO subject (project_id, deployment_id, event_name, start_ms, end_ms, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: subject_set_span
UPDATE subject SET start_ms = ?2, end_ms = ?3 WHERE id = ?1;

-- name: subject_by_name
SELECT id, start_ms, end_ms FROM subject WHERE deployment_id = ?1 AND event_name = ?2;

-- An event that nobody has looked at may still grow.
-- name: subject_spans
SELECT s.id, s.start_ms, s.end_ms,
  s.event_name IS NULL AND s.state = 'open' AND s.n_answers = 0 AND s.n_cant_tell = 0 AND s.prediction_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM prediction p WHERE p.subject_id = s.id)
  AND NOT EXISTS (SELECT 1 FROM task t WHERE t.subject_id = s.id)
FROM subject s WHERE s.deployment_id = ?1 AND s.start_ms IS NOT NULL ORDER BY s.start_ms;
