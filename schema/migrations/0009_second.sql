-- A stratum whose certificate audits revoked is tried once more, by shadow audits alone.

-- The revoked certificate, of the same gold, that this one follows: its model is not heard in the stratum before active_ms.
ALTER TABLE certificate ADD COLUMN after_id INTEGER REFERENCES certificate(id);

-- Predictions that are not heard: the model's last certificate for such an opinion there was revoked, or follows such a one and
-- was never active.
CREATE VIEW prediction_unheard AS
SELECT p.id FROM prediction p JOIN subject s ON s.id = p.subject_id JOIN deployment d ON d.id = s.deployment_id
JOIN certificate c ON c.model_id = p.model_id AND c.group_name = d.group_name
  AND (c.state = 'revoked' OR (c.after_id IS NOT NULL AND c.active_ms IS NULL))
JOIN certificate_taxon t ON t.certificate_id = c.id AND t.taxon_id = p.top_id
WHERE NOT EXISTS (SELECT 1 FROM certificate l JOIN certificate_taxon x ON x.certificate_id = l.id AND x.taxon_id = p.top_id
                  WHERE l.model_id = p.model_id AND l.group_name = d.group_name AND l.id > c.id);
