-- What a volunteer has done, and what is kept about them.

-- name: history_last
SELECT id, uuid, subject_id, created_ms, answer, several FROM classification
WHERE volunteer_id = ?1 AND project_id = ?2 AND superseded_by IS NULL AND answer <> 'undone' ORDER BY id DESC LIMIT ?3;

-- name: history_named
SELECT taxon_id, count, details FROM annotation WHERE classification_id = ?1;

-- A subject's first photograph, where it is not hidden.
-- name: subject_thumb
SELECT m.id FROM media m WHERE m.subject_id = ?1 AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = ?1)
ORDER BY m.taken_ms, m.file_name, m.id LIMIT 1;

-- What a volunteer holds of a project and says that they will not answer now.
-- name: task_release
UPDATE task SET expires_ms = ?4 WHERE subject_id = ?1 AND volunteer_id = ?2 AND project_id = ?3 AND expires_ms > ?4;

-- name: tally_claim_days
INSERT INTO answer_day (volunteer_id, day, project_id, n)
SELECT ?2, day, project_id, n FROM answer_day WHERE volunteer_id = ?1
ON CONFLICT (volunteer_id, day, project_id) DO UPDATE SET n = n + excluded.n;

-- name: tally_claim_taxa
INSERT INTO answer_taxon (volunteer_id, project_id, taxon_id, n)
SELECT ?2, project_id, taxon_id, n FROM answer_taxon WHERE volunteer_id = ?1
ON CONFLICT (volunteer_id, project_id, taxon_id) DO UPDATE SET n = n + excluded.n;

-- name: tally_drop_days
DELETE FROM answer_day WHERE volunteer_id = ?1;

-- name: tally_drop_taxa
DELETE FROM answer_taxon WHERE volunteer_id = ?1;

-- The days with answers, the newest first.
-- name: personal_days
SELECT day, sum(n) FROM answer_day WHERE volunteer_id = ?1 AND n > 0 GROUP BY day ORDER BY day DESC LIMIT ?2;

-- The projects with answers, and what was last said of the skill there, where it is not too old (?2).
-- name: personal_projects
SELECT p.id, p.slug, p.title, sum(d.n) AS n_answers, s.skill FROM answer_day d JOIN project p ON p.id = d.project_id
LEFT JOIN personal s ON s.volunteer_id = d.volunteer_id AND s.project_id = d.project_id AND s.made_ms > ?2
WHERE d.volunteer_id = ?1 GROUP BY p.id HAVING sum(d.n) > 0 ORDER BY n_answers DESC, p.id;

-- name: personal_species
SELECT t.id, t.common_name, a.n FROM answer_taxon a JOIN taxon t ON t.id = a.taxon_id
WHERE a.volunteer_id = ?1 AND a.project_id = ?2 AND a.n > 0 ORDER BY a.n DESC, t.id;

-- name: personal_cells
SELECT truth_id, answer_id, weight FROM skill_cell
WHERE project_id = ?1 AND refit_id = (SELECT refit_id FROM project WHERE id = ?1) AND volunteer_id = ?2;

-- Nothing for who has left while it was made: without a session nobody reads it.
-- name: personal_put
INSERT INTO personal (volunteer_id, project_id, made_ms, skill)
SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM session WHERE volunteer_id = ?1)
ON CONFLICT (volunteer_id, project_id) DO UPDATE SET made_ms = excluded.made_ms, skill = excluded.skill;

-- name: personal_drop
DELETE FROM personal WHERE volunteer_id = ?1;

-- A row where the volunteer has or had the subject.
-- name: subject_was_given
SELECT 1 WHERE EXISTS (SELECT 1 FROM task t WHERE t.subject_id = ?1 AND t.volunteer_id = ?2)
  OR EXISTS (SELECT 1 FROM classification c WHERE c.subject_id = ?1 AND +c.volunteer_id = ?2)
  OR EXISTS (SELECT 1 FROM practised r WHERE r.volunteer_id = ?2 AND r.subject_id = ?1);

-- name: flag_put
INSERT INTO flag (subject_id, volunteer_id, kind, project_id, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (subject_id, volunteer_id, kind) DO NOTHING;

-- One that an expert has closed stays: it cannot be given again.
-- name: flag_drop
DELETE FROM flag WHERE subject_id = ?1 AND volunteer_id = ?2 AND kind = ?3 AND closed_ms IS NULL;

-- name: flag_own
SELECT kind FROM flag WHERE subject_id = ?1 AND volunteer_id = ?2 AND closed_ms IS NULL ORDER BY kind;

-- Flags of a volunteer that hide a subject, since ?2.
-- name: flag_n_hiding
SELECT count(*) FROM flag WHERE volunteer_id = ?1 AND kind IN ('person', 'offensive') AND created_ms > ?2;

-- A row where the subject is hidden, by its label or a flag.
-- name: subject_hidden
SELECT 1 FROM hidden WHERE subject_id = ?1 LIMIT 1;

-- A row where a flag hides the subject.
-- name: flag_hides
SELECT 1 FROM flag WHERE subject_id = ?1 AND kind IN ('person', 'offensive') AND closed_ms IS NULL LIMIT 1;

-- Whoever looks at a subject that is hidden now is given another next; an answer still comes in.
-- name: flag_end_leases
UPDATE task SET expires_ms = ?2 WHERE subject_id = ?1 AND expert = 0 AND expires_ms > ?2;

-- name: flag_close
UPDATE flag SET closed_ms = ?3 WHERE subject_id = ?1 AND kind = ?2 AND closed_ms IS NULL;

-- name: flag_list
SELECT subject_id, kind, count(*) FROM flag WHERE project_id = ?1 AND closed_ms IS NULL AND kind <> 'favourite'
GROUP BY subject_id, kind ORDER BY subject_id, kind LIMIT ?2;

-- name: flag_favourites
SELECT p.slug, f.subject_id FROM flag f JOIN project p ON p.id = f.project_id
WHERE f.volunteer_id = ?1 AND f.kind = 'favourite' ORDER BY f.created_ms DESC LIMIT ?2;

-- name: comment_add
INSERT INTO comment (project_id, subject_id, volunteer_id, text, created_ms) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: comment_list
SELECT c.id, v.name, c.created_ms, c.text, c.volunteer_id = ?2, c.hidden_ms IS NOT NULL
FROM comment c JOIN volunteer v ON v.id = c.volunteer_id WHERE c.subject_id = ?1 ORDER BY c.id LIMIT ?3;

-- Whoever has read what others say of a subject knows too much for a second answer to it.
-- name: comment_read
UPDATE classification SET told = 1
WHERE volunteer_id = ?2 AND subject_id = ?1 AND superseded_by IS NULL AND answer <> 'undone' AND told = 0
  AND EXISTS (SELECT 1 FROM comment c WHERE c.subject_id = ?1 AND c.volunteer_id <> ?2 AND c.hidden_ms IS NULL);

-- name: comment_is_news
SELECT 1 FROM classification
WHERE volunteer_id = ?2 AND subject_id = ?1 AND superseded_by IS NULL AND answer <> 'undone' AND told = 0
  AND EXISTS (SELECT 1 FROM comment c WHERE c.subject_id = ?1 AND c.volunteer_id <> ?2 AND c.hidden_ms IS NULL);

-- A row where the volunteer has answered the subject.
-- name: comment_may
SELECT 1 FROM classification WHERE volunteer_id = ?2 AND subject_id = ?1 AND superseded_by IS NULL AND answer <> 'undone';

-- name: comment_hide
UPDATE comment SET hidden_ms = ?3, hidden_by = ?4, hidden_why = ?5 WHERE id = ?1 AND project_id = ?2;

-- The last column: somebody else's, of a subject that nothing is marked of yet, answered or not (comment_overhear).
-- name: comment_recent
SELECT c.id, v.name, c.created_ms, c.text, c.volunteer_id = ?2, c.hidden_ms IS NOT NULL, c.subject_id, c.hidden_why,
  c.volunteer_id <> ?2 AND NOT EXISTS (SELECT 1 FROM overheard o WHERE o.volunteer_id = ?2 AND o.subject_id = c.subject_id)
FROM comment c JOIN volunteer v ON v.id = c.volunteer_id WHERE c.project_id = ?1 ORDER BY c.id DESC LIMIT ?3;

-- name: comment_overhear
INSERT INTO overheard (volunteer_id, subject_id, project_id, at_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (volunteer_id, subject_id) DO NOTHING;

-- name: practice_held
SELECT r.subject_id FROM practised r JOIN gold g ON g.subject_id = r.subject_id
WHERE r.volunteer_id = ?2 AND r.project_id = ?1 AND g.purpose = 'train-people' AND g.taxon_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = r.subject_id)
ORDER BY r.at_ms, r.subject_id LIMIT ?3;

-- Gold to learn from that a volunteer has not met, of a class that they have not practised, the commonest first.
-- name: practice_next
SELECT g.subject_id FROM gold g JOIN taxon t ON t.id = g.taxon_id
LEFT JOIN class_prior p ON p.project_id = t.project_id AND p.taxon_id = t.id
WHERE g.project_id = ?1 AND g.purpose = 'train-people' AND t.kind NOT IN ('human', 'vehicle') AND t.retired_ms IS NULL
  AND NOT EXISTS (SELECT 1 FROM label_also a JOIN taxon x ON x.id = a.taxon_id
                  WHERE a.subject_id = g.subject_id AND x.kind IN ('human', 'vehicle'))
  AND NOT EXISTS (SELECT 1 FROM classification c WHERE c.subject_id = g.subject_id AND +c.volunteer_id = ?2)
  AND NOT EXISTS (SELECT 1 FROM task k WHERE k.subject_id = g.subject_id AND k.volunteer_id = ?2)
  AND NOT EXISTS (SELECT 1 FROM hidden h WHERE h.subject_id = g.subject_id)
  AND g.taxon_id NOT IN (SELECT o.taxon_id FROM practised r JOIN gold o ON o.subject_id = r.subject_id
                         WHERE r.volunteer_id = ?2 AND r.project_id = ?1 AND o.taxon_id IS NOT NULL)
ORDER BY COALESCE(p.n, 0) DESC, t.id, g.plant_u LIMIT 1;

-- name: practice_put
INSERT INTO practised (volunteer_id, subject_id, project_id, at_ms) VALUES (?1, ?2, ?3, ?4);

-- name: practice_why
SELECT g.markdown FROM taxon t JOIN page g ON g.project_id = t.project_id AND g.name = 'practice/' || t.code
WHERE t.id = ?1 AND g.language IN ('', ?2) ORDER BY g.language DESC LIMIT 1;

-- The first ?3 answers that others gave to a subject before answer ?4, whatever became of them: one row a species.
-- name: others_first
SELECT c.id, a.taxon_id FROM (SELECT id FROM classification WHERE subject_id = ?1 AND +volunteer_id <> ?2 AND expert = 0
    AND answer = 'taxa' AND superseded_by IS NULL AND stained = 0 AND id < ?4 ORDER BY id LIMIT ?3) c
JOIN annotation a ON a.classification_id = c.id ORDER BY c.id, a.taxon_id;

-- A log-in takes over what its person said anonymously in this browser (?1 anonymous, ?2 account).
-- name: claim_flags
INSERT INTO flag (subject_id, volunteer_id, kind, project_id, created_ms, closed_ms)
SELECT subject_id, ?2, kind, project_id, created_ms, closed_ms FROM flag WHERE volunteer_id = ?1
ON CONFLICT (subject_id, volunteer_id, kind) DO NOTHING;

-- name: claim_drop_flags
DELETE FROM flag WHERE volunteer_id = ?1;

-- name: claim_comments
UPDATE comment SET volunteer_id = ?2 WHERE volunteer_id = ?1;

-- name: claim_practised
INSERT INTO practised (volunteer_id, subject_id, project_id, at_ms)
SELECT ?2, subject_id, project_id, at_ms FROM practised WHERE volunteer_id = ?1
ON CONFLICT (volunteer_id, subject_id) DO NOTHING;

-- name: claim_drop_practised
DELETE FROM practised WHERE volunteer_id = ?1;

-- name: forget_name
UPDATE volunteer SET name = NULL, password_hash = NULL, is_admin = 0, take_ms = ?2 WHERE id = ?1;

-- name: forget_roles
DELETE FROM role WHERE volunteer_id = ?1;

-- name: forget_tasks
DELETE FROM task WHERE volunteer_id = ?1;

-- name: forget_cursors
DELETE FROM task_cursor WHERE volunteer_id = ?1;

-- name: forget_favourites
DELETE FROM flag WHERE volunteer_id = ?1 AND kind = 'favourite';

-- name: forget_comments
DELETE FROM comment WHERE volunteer_id = ?1;

-- name: forget_overheard
DELETE FROM overheard WHERE volunteer_id = ?1;

-- name: forget_next
SELECT id FROM volunteer WHERE take_ms IS NOT NULL ORDER BY id LIMIT 1;

-- name: forget_answer
SELECT id, subject_id, project_id, counted FROM classification
WHERE volunteer_id = ?1 AND expert = 0 AND superseded_by IS NULL AND answer <> 'undone' ORDER BY subject_id LIMIT 1;

-- name: forget_undo
INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, expert, blind, policy_id, created_ms,
  planted)
SELECT randomblob(16), project_id, subject_id, volunteer_id, 'undone', 0, expert, blind, policy_id, ?2, planted
FROM classification WHERE id = ?1;

-- name: forget_taken
UPDATE volunteer SET take_ms = NULL WHERE id = ?1;

-- What is kept about a volunteer, for themselves. Nothing here says which subjects were gold or audits.
-- name: own_account
SELECT id, name, created_ms, is_admin FROM volunteer WHERE id = ?1;

-- name: own_sessions
SELECT created_ms, expires_ms FROM session WHERE volunteer_id = ?1 ORDER BY created_ms;

-- name: own_answers
SELECT c.id, c.uuid, p.slug, c.subject_id, c.created_ms, c.answer, c.several, c.duration_ms, c.superseded_by IS NOT NULL, c.expert,
  c.guess_id, a.taxon_id, a.count, a.details
FROM classification c JOIN project p ON p.id = c.project_id LEFT JOIN annotation a ON a.classification_id = c.id
WHERE c.volunteer_id = ?1 ORDER BY c.project_id, c.id, a.taxon_id;

-- name: own_leases
SELECT p.slug, t.subject_id, t.issued_ms, t.expires_ms FROM task t JOIN project p ON p.id = t.project_id
WHERE t.volunteer_id = ?1 ORDER BY t.id;

-- name: own_flags
SELECT p.slug, f.subject_id, f.kind, f.created_ms FROM flag f JOIN project p ON p.id = f.project_id
WHERE f.volunteer_id = ?1 ORDER BY f.kind, f.created_ms;

-- name: own_comments
SELECT p.slug, c.subject_id, c.created_ms, c.text, c.hidden_ms IS NOT NULL FROM comment c JOIN project p ON p.id = c.project_id
WHERE c.volunteer_id = ?1 ORDER BY c.id;

-- name: own_practice
SELECT p.slug, r.subject_id, r.at_ms FROM practised r JOIN project p ON p.id = r.project_id
WHERE r.volunteer_id = ?1 ORDER BY r.subject_id;

-- name: own_overheard
SELECT p.slug, o.subject_id, o.at_ms FROM overheard o JOIN project p ON p.id = o.project_id
WHERE o.volunteer_id = ?1 ORDER BY o.subject_id;

-- name: own_skill
SELECT p.slug, s.made_ms, s.skill FROM personal s JOIN project p ON p.id = s.project_id
WHERE s.volunteer_id = ?1 ORDER BY p.id;
