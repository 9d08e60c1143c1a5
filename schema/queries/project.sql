-- Projects, their taxa, policies and class priors.

-- name: project_add
INSERT INTO project (slug, title, description, gap_s, camtrap, created_ms, survey, model_px)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- name: project_find
SELECT id FROM project WHERE slug = ?1;

-- name: project_get
SELECT p.slug, p.title, p.description, p.gap_s, p.camtrap, p.model_id, p.n_taught, p.survey, p.refit_id, r.kappa, r.gamma,
  p.model_px, r.own_prior, r.last_id
FROM project p LEFT JOIN refit r ON r.id = p.refit_id WHERE p.id = ?1;

-- name: project_list
SELECT p.id, p.slug, p.title, p.description,
  COALESCE((SELECT c.n FROM subject_count c WHERE c.project_id = p.id AND c.state = 'open'), 0),
  COALESCE((SELECT c.n FROM subject_count c WHERE c.project_id = p.id AND c.state = 'expert'), 0),
  COALESCE((SELECT c.n FROM subject_count c WHERE c.project_id = p.id AND c.state = 'retired'), 0), p.texts
FROM project p ORDER BY p.title, p.id;

-- name: project_set_policy
UPDATE project SET policy_id = ?2 WHERE id = ?1;

-- name: project_mark_sweep
UPDATE project SET sweep_id = 0 WHERE id = ?1;

-- name: project_next_sweep
SELECT id, sweep_id FROM project WHERE sweep_id IS NOT NULL ORDER BY id LIMIT 1;

-- name: project_set_sweep
UPDATE project SET sweep_id = ?2 WHERE id = ?1;

-- name: project_taught
UPDATE project SET n_taught = n_taught + 1 WHERE id = ?1 RETURNING n_taught;

-- name: policy_get
SELECT q.id, q.version, q.rules FROM project p JOIN policy q ON q.id = p.policy_id WHERE p.id = ?1;

-- name: policy_add
INSERT INTO policy (project_id, version, rules, created_ms)
VALUES (?1, (SELECT COALESCE(max(version), 0) + 1 FROM policy WHERE project_id = ?1), ?2, ?3)
RETURNING id, version;

-- name: taxon_add
INSERT INTO taxon (project_id, code, kind, scientific_name, common_name, rank, hotkey, position, protected)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: taxon_list
SELECT t.id, t.code, t.kind, t.scientific_name, t.common_name, t.rank, t.hotkey, t.protected,
  t.retired_ms IS NOT NULL, c.p
FROM taxon t LEFT JOIN class_prior c ON c.project_id = t.project_id AND c.taxon_id = t.id
WHERE t.project_id = ?1 ORDER BY t.id;

-- name: taxon_by_code
SELECT id, kind FROM taxon WHERE project_id = ?1 AND code = ?2 AND retired_ms IS NULL;

-- name: class_prior_counts
SELECT taxon_id, n FROM class_prior WHERE project_id = ?1;

-- name: class_prior_put
INSERT INTO class_prior (project_id, taxon_id, p) VALUES (?1, ?2, ?3)
ON CONFLICT (project_id, taxon_id) DO UPDATE SET p = excluded.p;

-- name: project_set
UPDATE project SET title = ?2, description = ?3, gap_s = ?4, camtrap = ?5, survey = ?6, model_px = ?7 WHERE id = ?1;

-- name: taxon_set
UPDATE taxon SET scientific_name = ?2, common_name = ?3, rank = ?4, hotkey = ?5, protected = ?6,
  retired_ms = CASE WHEN ?7 = 1 THEN COALESCE(retired_ms, ?8) END
WHERE id = ?1;

-- name: project_texts
SELECT texts FROM project WHERE id = ?1;

-- name: project_set_texts
UPDATE project SET texts = ?2 WHERE id = ?1;

-- name: taxon_texts
SELECT id, code, texts, retired_ms IS NOT NULL FROM taxon WHERE project_id = ?1 ORDER BY id;

-- name: taxon_texts_get
SELECT texts FROM taxon WHERE id = ?1;

-- name: taxon_set_texts
UPDATE taxon SET texts = ?2 WHERE id = ?1;
