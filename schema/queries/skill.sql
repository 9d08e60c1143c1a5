-- What the label model knows of volunteers: their skill, and everybody's confusions. Of each there is a set a refit; the
-- project says which is in force.

-- name: skill_get
SELECT lambda, prec, n_credited FROM skill
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND volunteer_id = ?2;

-- name: skill_put
INSERT INTO skill (project_id, refit_id, volunteer_id, lambda, prec, n_credited)
VALUES (?1, (SELECT refit_id FROM project WHERE id = ?1), ?2, ?3, ?4, ?5)
ON CONFLICT (project_id, refit_id, volunteer_id)
DO UPDATE SET lambda = excluded.lambda, prec = excluded.prec, n_credited = excluded.n_credited;

-- name: skill_cells
SELECT truth_id, answer_id, weight FROM skill_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND volunteer_id = ?2;

-- name: skill_cell_add
INSERT INTO skill_cell (project_id, refit_id, volunteer_id, truth_id, answer_id, weight)
VALUES (?1, (SELECT refit_id FROM project WHERE id = ?1), ?2, ?3, ?4, ?5)
ON CONFLICT (project_id, refit_id, volunteer_id, answer_id, truth_id) DO UPDATE SET weight = weight + excluded.weight;

-- name: pool_matrix
SELECT truth_id, answer_id, p FROM pool_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1);

-- name: pool_cells
SELECT truth_id, answer_id, weight, p FROM pool_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1);

-- name: pool_cell_add
UPDATE pool_cell SET weight = weight + ?4
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND truth_id = ?2 AND answer_id = ?3;

-- name: pool_cell_put
INSERT INTO pool_cell (project_id, refit_id, truth_id, answer_id, p)
VALUES (?1, (SELECT refit_id FROM project WHERE id = ?1), ?2, ?3, ?4)
ON CONFLICT (project_id, refit_id, answer_id, truth_id) DO UPDATE SET p = excluded.p;
