-- Confirm cards: which tasks carry a guess, and what is known of how people answer them.

-- name: confirm_get
SELECT n_right, n_yes_right, n_wrong, n_yes_wrong FROM confirm WHERE project_id = ?1;

-- Planted cards on gold of one species, each volunteer's first to a subject only: whoever is asked again may know the truth.
-- name: confirm_recount
INSERT INTO confirm (project_id, n_right, n_yes_right, n_wrong, n_yes_wrong)
SELECT ?1, COALESCE(sum(is_right), 0), COALESCE(sum(is_right AND is_yes), 0), COALESCE(sum(NOT is_right), 0),
  COALESCE(sum(NOT is_right AND is_yes), 0)
FROM (SELECT g.taxon_id = c.guess_id AS is_right, c.several = 0 AND EXISTS (
    SELECT 1 FROM annotation a WHERE a.classification_id = c.id AND a.taxon_id = c.guess_id) AS is_yes
  FROM classification c JOIN gold g ON g.subject_id = c.subject_id AND g.taxon_id IS NOT NULL
  WHERE c.project_id = ?1 AND c.guess_id IS NOT NULL AND c.planted = 1 AND c.answer <> 'undone'
    AND NOT EXISTS (SELECT 1 FROM label_also o WHERE o.subject_id = c.subject_id)
    AND NOT EXISTS (SELECT 1 FROM classification x WHERE x.subject_id = c.subject_id AND x.volunteer_id = c.volunteer_id
                    AND x.id < c.id))
WHERE true
ON CONFLICT (project_id) DO UPDATE SET n_right = excluded.n_right, n_yes_right = excluded.n_yes_right,
  n_wrong = excluded.n_wrong, n_yes_wrong = excluded.n_yes_wrong;

-- name: card_prediction
SELECT id FROM prediction WHERE subject_id = ?1 AND model_id = ?2;

-- How long answers to live subjects took where a model was heard, the newest first: on cards, and blind.
-- name: card_times
SELECT c.duration_ms, c.several = 0 AND EXISTS (
  SELECT 1 FROM annotation a WHERE a.classification_id = c.id AND a.taxon_id = c.guess_id)
FROM classification c
WHERE c.project_id = ?1 AND c.guess_id IS NOT NULL AND c.expert = 0 AND c.planted = 0 AND c.superseded_by IS NULL
  AND c.answer <> 'undone' AND c.duration_ms IS NOT NULL
ORDER BY c.id DESC LIMIT ?2;

-- name: card_survey_times
SELECT c.duration_ms FROM classification c
WHERE +c.project_id = ?1 AND c.guess_id IS NULL AND c.expert = 0 AND c.planted = 0 AND c.blind = 0
  AND c.model_id IS NOT NULL AND c.superseded_by IS NULL AND c.answer <> 'undone' AND c.duration_ms IS NOT NULL
ORDER BY c.id DESC LIMIT ?2;

-- The predictions behind the newest cards.
-- name: card_shown
SELECT p.id FROM classification c JOIN prediction p ON p.subject_id = c.subject_id AND p.model_id = c.guess_model_id
WHERE c.project_id = ?1 AND c.guess_id IS NOT NULL AND c.planted = 0 AND c.answer <> 'undone'
ORDER BY c.id DESC LIMIT ?2;
