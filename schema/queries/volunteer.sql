-- Accounts: volunteers, sessions, roles, tokens.

-- name: volunteer_add
INSERT INTO volunteer (name, password_hash, is_admin, created_ms) VALUES (?1, ?2, ?3, ?4) RETURNING id;

-- name: volunteer_by_name
SELECT id, password_hash FROM volunteer WHERE name = ?1;

-- name: volunteer_list
SELECT v.id, v.name, v.is_admin, v.created_ms,
  (SELECT COALESCE(sum(d.n), 0) FROM answer_day d WHERE d.volunteer_id = v.id)
FROM volunteer v WHERE v.name IS NOT NULL ORDER BY v.name;

-- name: volunteer_set_password
UPDATE volunteer SET password_hash = ?2 WHERE id = ?1;

-- name: volunteer_set_admin
UPDATE volunteer SET is_admin = ?2 WHERE id = ?1;

-- An anonymous volunteer becomes an account.
-- name: volunteer_set_name
UPDATE volunteer SET name = ?2, password_hash = ?3 WHERE id = ?1 AND name IS NULL AND merged_into IS NULL;

-- name: volunteer_n_answers
SELECT COALESCE(sum(n), 0) FROM answer_day WHERE volunteer_id = ?1;

-- name: session_add
INSERT INTO session (token_hash, volunteer_id, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4);

-- name: session_find
SELECT v.id, v.name, v.is_admin FROM session s JOIN volunteer v ON v.id = s.volunteer_id
WHERE s.token_hash = ?1 AND s.expires_ms > ?2;

-- name: session_drop
DELETE FROM session WHERE token_hash = ?1;

-- name: session_drop_all
DELETE FROM session WHERE volunteer_id = ?1;

-- name: invite_put
INSERT INTO invite (volunteer_id, token_hash, expires_ms) VALUES (?1, ?2, ?3)
ON CONFLICT (volunteer_id) DO UPDATE SET token_hash = excluded.token_hash, expires_ms = excluded.expires_ms;

-- name: invite_find
SELECT volunteer_id FROM invite WHERE token_hash = ?1 AND expires_ms > ?2;

-- name: invite_drop
DELETE FROM invite WHERE volunteer_id = ?1;

-- An account takes over an anonymous volunteer (?1 anonymous, ?2 account).
-- name: claim_pairs
SELECT a.id, b.id, a.subject_id FROM classification a
JOIN classification b ON b.volunteer_id = ?2 AND b.subject_id = a.subject_id AND b.expert = a.expert
  AND b.superseded_by IS NULL AND b.answer <> 'undone'
WHERE a.volunteer_id = ?1 AND a.superseded_by IS NULL AND a.answer <> 'undone' ORDER BY a.id LIMIT 1;

-- name: claim_answers
UPDATE classification SET volunteer_id = ?2 WHERE volunteer_id = ?1;

-- name: claim_drop_tasks
DELETE FROM task WHERE volunteer_id = ?1 AND (
  EXISTS (SELECT 1 FROM task t WHERE t.volunteer_id = ?2 AND t.subject_id = task.subject_id)
  OR EXISTS (SELECT 1 FROM classification c WHERE c.volunteer_id = ?2 AND c.subject_id = task.subject_id
             AND c.expert = task.expert AND c.superseded_by IS NULL AND c.answer <> 'undone'));

-- The account's own lease on what it has answered by now.
-- name: claim_drop_answered
DELETE FROM task WHERE volunteer_id = ?1 AND EXISTS (SELECT 1 FROM classification c
  WHERE c.volunteer_id = ?1 AND c.subject_id = task.subject_id AND c.expert = task.expert
  AND c.superseded_by IS NULL AND c.answer <> 'undone');

-- name: claim_tasks
UPDATE task SET volunteer_id = ?2 WHERE volunteer_id = ?1;

-- Two Gaussian opinions of one skill from one prior (mean 0, precision ?3): precisions add, the prior counts once. Their
-- cells are added up anew when next asked for.
-- name: claim_skill
INSERT INTO skill (project_id, refit_id, volunteer_id, lambda, prec, n_credited)
SELECT project_id, refit_id, ?2, lambda, prec, n_credited FROM skill
WHERE (project_id, refit_id) IN (SELECT id, refit_id FROM project) AND volunteer_id = ?1
ON CONFLICT (project_id, refit_id, volunteer_id) DO UPDATE SET
  lambda = (lambda * prec + excluded.lambda * excluded.prec) / (prec + excluded.prec - ?3),
  prec = prec + excluded.prec - ?3,
  n_credited = n_credited + excluded.n_credited,
  row_sums = NULL;

-- name: claim_skill_cells
INSERT INTO skill_cell (project_id, refit_id, volunteer_id, truth_id, answer_id, weight)
SELECT project_id, refit_id, ?2, truth_id, answer_id, weight FROM skill_cell
WHERE (project_id, refit_id) IN (SELECT id, refit_id FROM project) AND volunteer_id = ?1
ON CONFLICT (project_id, refit_id, volunteer_id, answer_id, truth_id) DO UPDATE SET weight = weight + excluded.weight;

-- name: claim_drop_skill
DELETE FROM skill WHERE (project_id, refit_id) IN (SELECT id, refit_id FROM project) AND volunteer_id = ?1;

-- name: claim_drop_skill_cells
DELETE FROM skill_cell WHERE (project_id, refit_id) IN (SELECT id, refit_id FROM project) AND volunteer_id = ?1;

-- name: claim_merge
UPDATE volunteer SET merged_into = ?2 WHERE id = ?1 AND name IS NULL;

-- name: role_add
INSERT INTO role (project_id, volunteer_id, role) VALUES (?1, ?2, ?3)
ON CONFLICT (project_id, volunteer_id, role) DO NOTHING;

-- name: role_drop
DELETE FROM role WHERE project_id = ?1 AND volunteer_id = ?2 AND role = ?3;

-- name: role_has
SELECT 1 FROM role WHERE project_id = ?1 AND volunteer_id = ?2 AND role IN (?3, 'admin') LIMIT 1;

-- name: role_list
SELECT p.slug, r.role FROM role r JOIN project p ON p.id = r.project_id WHERE r.volunteer_id = ?1
ORDER BY p.slug, r.role;

-- name: token_add
INSERT INTO token (name, kind, token_hash, created_ms) VALUES (?1, 'worker', ?2, ?3);

-- name: token_lend
INSERT INTO token (name, kind, token_hash, created_ms, expires_ms) VALUES (?1, 'worker', ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET expires_ms = excluded.expires_ms;

-- name: token_clean
DELETE FROM token WHERE expires_ms < ?1;

-- name: token_drop
DELETE FROM token WHERE name = ?1;

-- name: token_by_name
SELECT id FROM token WHERE name = ?1;

-- name: token_revoke
UPDATE token SET revoked_ms = ?2 WHERE name = ?1 AND revoked_ms IS NULL;

-- name: token_check
SELECT id FROM token WHERE token_hash = ?1 AND kind = 'worker' AND revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?2);

-- name: token_list
SELECT id, name, kind, created_ms, revoked_ms FROM token ORDER BY id;
