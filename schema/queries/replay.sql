-- What `topi replay` derives labels from, beside what is stored of them.

-- A subject as it stands; its last label event; its votes and "can't tell" as they are stored; the expert's last verdict or
-- gold; its certificate and prediction; the rules that it was decided by.
-- name: replay_subjects
SELECT s.id, s.state, COALESCE(s.label_id, 0), COALESCE(s.decided_by, ''), COALESCE(s.reason, ''), COALESCE(s.p_label, 0),
  s.n_answers, s.n_cant_tell, s.prediction_id IS NOT NULL,
  e.id IS NOT NULL, COALESCE(e.label_id, 0), COALESCE(e.decided_by, ''), COALESCE(e.p_label, 0), COALESCE(e.certificate_id, 0),
  COALESCE(s.certificate_id, 0),
  (SELECT count(*) FROM classification c WHERE c.subject_id = s.id AND c.answer = 'taxa' AND c.expert = 0 AND c.counted = 1
    AND c.superseded_by IS NULL),
  (SELECT count(*) FROM classification c WHERE c.subject_id = s.id AND c.answer = 'cant_tell' AND c.expert = 0
    AND c.counted = 1 AND c.superseded_by IS NULL),
  COALESCE((SELECT a.taxon_id FROM classification c JOIN annotation a ON a.classification_id = c.id
    JOIN subject z ON z.id = c.subject_id WHERE c.subject_id = s.id AND c.expert = 1 AND c.counted = 1 AND c.answer = 'taxa' AND c.superseded_by IS NULL
    ORDER BY c.id DESC, a.taxon_id = z.label_id DESC LIMIT 1), 0),
  COALESCE(g.taxon_id, 0), g.expert_id IS NULL AND g.labelled_ms IS NOT NULL,
  COALESCE(c.state, ''), COALESCE(c.p_top_min, 0), COALESCE(p.top_id, 0), COALESCE(p.p_top, 0), p.model_id IS c.model_id,
  COALESCE(s.policy_id, 0), COALESCE(q.rules, ''), COALESCE(e.n_answers, 0), COALESCE(e.risk, 0)
FROM subject s
LEFT JOIN label_event e ON e.id = (SELECT max(x.id) FROM label_event x WHERE x.subject_id = s.id)
LEFT JOIN gold g ON g.subject_id = s.id LEFT JOIN certificate c ON c.id = s.certificate_id
LEFT JOIN prediction p ON p.id = s.prediction_id LEFT JOIN policy q ON q.id = s.policy_id
WHERE s.project_id = ?1 ORDER BY s.id;
