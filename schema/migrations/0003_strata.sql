-- Certificates by stratum: what the model takes for blank, for a common or another class, in each group of deployments.
-- Drift by deployment; draws that a higher rate only adds to.

-- Deployments that are certified together: one group, '', unless somebody says otherwise.
ALTER TABLE deployment ADD COLUMN group_name TEXT NOT NULL DEFAULT '';

-- stratum is 'blank', 'common' or 'other' from now on.
ALTER TABLE certificate ADD COLUMN group_name TEXT NOT NULL DEFAULT '';     -- of the deployments that it holds in
ALTER TABLE certificate ADD COLUMN delta_share REAL NOT NULL DEFAULT 0;     -- of delta, at which its threshold was tested
ALTER TABLE certificate ADD COLUMN n_strata INTEGER NOT NULL DEFAULT 1;     -- tested together: delta was split over them
ALTER TABLE certificate ADD COLUMN p_top_min REAL NOT NULL DEFAULT 1;       -- the threshold before calibration
ALTER TABLE certificate ADD COLUMN w0 REAL;                                 -- the calibration that `threshold` is in
ALTER TABLE certificate ADD COLUMN w1 REAL;
UPDATE certificate SET delta_share = delta;
CREATE INDEX certificate_by_model ON certificate (model_id);
DROP INDEX certificate_in_force;
CREATE UNIQUE INDEX certificate_in_force ON certificate (project_id, group_name, stratum)
  WHERE state IN ('probation', 'active');

-- What was in force before knows no classes and no threshold before calibration: its labels stand, new ones want a new one.
UPDATE subject SET blind = 0 WHERE id IN (SELECT a.subject_id FROM audit a JOIN certificate c ON c.id = a.certificate_id
  WHERE c.state IN ('probation', 'active') AND a.kind = 'shadow' AND a.state IN ('crowd', 'expert'));
UPDATE audit SET state = 'void' WHERE kind = 'shadow' AND state IN ('crowd', 'expert')
  AND certificate_id IN (SELECT id FROM certificate WHERE state IN ('probation', 'active'));
UPDATE project SET sweep_id = 0 WHERE id IN (SELECT project_id FROM certificate WHERE state IN ('probation', 'active'));
UPDATE certificate SET state = 'replaced', ended_ms = COALESCE(active_ms, issued_ms),
  why = 'certificates are by stratum since this version'
WHERE state IN ('probation', 'active');

-- The classes that a certificate holds for, where the model says one of them.
CREATE TABLE certificate_taxon (
  certificate_id INTEGER NOT NULL REFERENCES certificate(id),
  taxon_id       INTEGER NOT NULL REFERENCES taxon(id),
  PRIMARY KEY (certificate_id, taxon_id)
) STRICT, WITHOUT ROWID;

-- The gold that a certificate was tested on, with the truth as it was then.
CREATE TABLE certificate_gold (
  certificate_id INTEGER NOT NULL REFERENCES certificate(id),
  subject_id     INTEGER NOT NULL REFERENCES subject(id),
  prediction_id  INTEGER NOT NULL REFERENCES prediction(id),
  truth_id       INTEGER NOT NULL REFERENCES taxon(id),
  PRIMARY KEY (certificate_id, subject_id)
) STRICT, WITHOUT ROWID;

-- What the model in use takes a subject for (derived from prediction_id, by the trigger), and where the audits' keyed hash
-- put it when it was auto-labelled: it is drawn at any rate above.
ALTER TABLE subject ADD COLUMN guess_id INTEGER REFERENCES taxon(id);
ALTER TABLE subject ADD COLUMN audit_u REAL;
UPDATE subject SET guess_id = (SELECT p.top_id FROM prediction p WHERE p.id = subject.prediction_id)
WHERE prediction_id IS NOT NULL;
CREATE TRIGGER subject_guess AFTER UPDATE OF prediction_id ON subject
WHEN OLD.prediction_id IS NOT NEW.prediction_id
BEGIN
  UPDATE subject SET guess_id = (SELECT p.top_id FROM prediction p WHERE p.id = NEW.prediction_id) WHERE id = NEW.id;
END;
CREATE INDEX subject_queue_by_guess ON subject (project_id, state, guess_id, priority DESC, id);
CREATE INDEX subject_by_audit_u ON subject (project_id, label_id, audit_u)
  WHERE state = 'retired' AND decided_by = 'model';

-- Gold of one class, the next to be planted first; and what a volunteer has met of it.
CREATE INDEX gold_by_class ON gold (project_id, taxon_id, plant_order);
CREATE INDEX classification_planted ON classification (volunteer_id, project_id) WHERE planted = 1;

-- People's first routine answers against the model, by deployment (core/drift.h).
CREATE TABLE drift (
  model_id      INTEGER NOT NULL REFERENCES model(id),
  deployment_id INTEGER NOT NULL REFERENCES deployment(id),
  n             INTEGER NOT NULL,                 -- subjects whose first answer was compared
  n_differ      INTEGER NOT NULL,                 -- of them with another class than the model's
  n_expected    REAL NOT NULL,                    -- and how many would be, were calibration and skills right
  log_w1        REAL NOT NULL,                    -- wealth of the three bets against that, nats
  log_w2        REAL NOT NULL,
  log_w3        REAL NOT NULL,
  alarm_ms      INTEGER,                          -- since when more is audited there; NULL: nothing was noticed
  why           TEXT,                             -- the figures at that moment
  PRIMARY KEY (model_id, deployment_id)
) STRICT, WITHOUT ROWID;
