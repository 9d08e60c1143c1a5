-- What pages show of projects, subjects and photographs.

-- name: page_project
SELECT p.title, p.description,
  COALESCE((SELECT c.n FROM subject_count c WHERE c.project_id = p.id AND c.state = 'open'), 0),
  COALESCE((SELECT c.n FROM subject_count c WHERE c.project_id = p.id AND c.state = 'expert'), 0),
  COALESCE((SELECT c.n FROM subject_count c WHERE c.project_id = p.id AND c.state = 'retired'), 0), p.survey
FROM project p WHERE p.id = ?1;

-- name: page_taxa
SELECT id, code, kind, common_name, scientific_name, hotkey FROM taxon
WHERE project_id = ?1 AND retired_ms IS NULL ORDER BY position, id;

-- Whether the volunteer has or had the photograph's subject, or has practised on it, and it is not hidden.
-- name: page_media
SELECT m.project_id, m.sha256, m.crop_bottom_px,
  (EXISTS (SELECT 1 FROM task t WHERE t.subject_id = m.subject_id AND t.volunteer_id = ?2) OR
   EXISTS (SELECT 1 FROM classification c WHERE c.subject_id = m.subject_id AND +c.volunteer_id = ?2) OR
   EXISTS (SELECT 1 FROM practised r WHERE r.volunteer_id = ?2 AND r.subject_id = m.subject_id)) AND
  NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = m.subject_id)
FROM media m WHERE m.id = ?1;

-- name: status_decided
SELECT decided_by, count(*) FROM subject WHERE project_id = ?1 AND decided_by IS NOT NULL GROUP BY decided_by;

-- name: status_answers
SELECT COALESCE(sum(expert = 0), 0), COALESCE(sum(expert = 1), 0) FROM classification
WHERE project_id = ?1 AND superseded_by IS NULL AND answer <> 'undone';

-- name: status_gold
SELECT count(*), count(taxon_id), COALESCE(sum(taxon_id IS NOT NULL AND expert_id IS NULL), 0)
FROM gold WHERE project_id = ?1;

-- name: status_model
SELECT m.id, m.name, m.w0 IS NOT NULL, m.n_calibration FROM project p JOIN model m ON m.id = p.model_id WHERE p.id = ?1;

-- The certificate in force (of the common classes, where there are several), else the last one; which revoked one it follows.
-- name: status_certificate
SELECT c.id, c.state, c.threshold, c.alpha, c.delta, c.n_gold, c.n_above, c.n_wrong, c.p_error_upper, c.audit_rate, c.why,
  (SELECT count(*) FROM audit a WHERE a.certificate_id = c.id AND a.state = 'done'),
  (SELECT count(*) FROM audit a WHERE a.certificate_id = c.id AND a.state = 'done' AND a.truth_id IS NOT a.model_label_id),
  c.after_id
FROM certificate c WHERE c.project_id = ?1
ORDER BY c.state IN ('probation', 'active') DESC, c.state IN ('probation', 'active') AND c.stratum = 'common' DESC,
  c.id DESC LIMIT 1;

-- name: status_jobs
SELECT id, kind, state, n_done, n_total, error FROM job WHERE project_id = ?1 ORDER BY id DESC LIMIT 20;

-- name: page_clear
DELETE FROM page WHERE project_id = ?1;

-- name: page_add
INSERT INTO page (project_id, name, language, markdown) VALUES (?1, ?2, ?3, ?4);

-- name: page_list
SELECT name, language FROM page WHERE project_id = ?1 ORDER BY name, language;

-- In the language asked for, or the project's own.
-- name: page_get
SELECT markdown, language FROM page WHERE project_id = ?1 AND name = ?2 AND language IN ('', ?3)
ORDER BY language DESC LIMIT 1;

-- name: page_picture_clear
DELETE FROM page_picture WHERE project_id = ?1;

-- name: page_picture_add
INSERT INTO page_picture (project_id, name, file) VALUES (?1, ?2, ?3);

-- name: page_picture_list
SELECT name, file FROM page_picture WHERE project_id = ?1 ORDER BY name;

-- name: page_picture_used
SELECT 1 FROM page_picture WHERE file = ?1 LIMIT 1;

-- name: page_picture_there
SELECT 1 FROM page_picture WHERE project_id = ?1 AND file = ?2 LIMIT 1;
