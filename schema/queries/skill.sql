-- What the label model knows of volunteers: their skill, and everybody's confusions. Of each there is a set a refit; the
-- project says which is in force.

-- name: skill_get
SELECT lambda, prec, n_credited, row_sums FROM skill
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND volunteer_id = ?2;

-- The skill with the cells of answer ?4: a row each, or one with a truth that is NULL.
-- name: skill_get_column
SELECT s.lambda, s.prec, s.n_credited, s.row_sums, c.truth_id, c.weight
FROM skill s LEFT JOIN skill_cell c ON c.project_id = s.project_id AND c.refit_id = s.refit_id
  AND c.volunteer_id = s.volunteer_id AND c.answer_id = ?4
WHERE s.project_id = ?1 AND s.refit_id = ?2 AND s.volunteer_id = ?3;

-- name: skill_add_up_rows
SELECT truth_id, sum(weight) FROM skill_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND volunteer_id = ?2
GROUP BY truth_id;

-- name: skill_put
INSERT INTO skill (project_id, refit_id, volunteer_id, lambda, prec, n_credited, row_sums)
VALUES (?1, (SELECT refit_id FROM project WHERE id = ?1), ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (project_id, refit_id, volunteer_id) DO UPDATE SET lambda = excluded.lambda, prec = excluded.prec,
  n_credited = excluded.n_credited, row_sums = excluded.row_sums;

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
