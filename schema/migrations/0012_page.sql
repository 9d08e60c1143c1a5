-- What the page needs of a large project, each in a few steps of an index: leases that stay for months, and the next
-- subject of another camera.

-- Dead leases stay for as long as a session (an answer given off line may come months later), so live ones are found by
-- their end, and the old by it too.
DROP INDEX task_by_volunteer;
CREATE INDEX task_by_volunteer ON task (volunteer_id, project_id, expires_ms);
CREATE INDEX task_by_end ON task (expires_ms);

-- A camera's open subjects, the first in the queue first.
CREATE INDEX subject_open_by_deployment ON subject (project_id, deployment_id, priority DESC, id) WHERE state = 'open';

-- Subjects by state, kept by the triggers below: pages show them, and no page counts subjects.
CREATE TABLE subject_count (
  project_id INTEGER NOT NULL REFERENCES project(id),
  state      TEXT NOT NULL CHECK (state IN ('open', 'expert', 'retired')),
  n          INTEGER NOT NULL,
  PRIMARY KEY (project_id, state)
) STRICT, WITHOUT ROWID;
INSERT INTO subject_count SELECT project_id, state, count(*) FROM subject GROUP BY project_id, state;
CREATE TRIGGER subject_count_insert AFTER INSERT ON subject
BEGIN
  INSERT INTO subject_count VALUES (NEW.project_id, NEW.state, 1) ON CONFLICT (project_id, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER subject_count_delete AFTER DELETE ON subject
BEGIN
  UPDATE subject_count SET n = n - 1 WHERE project_id = OLD.project_id AND state = OLD.state;
END;
CREATE TRIGGER subject_count_update AFTER UPDATE OF state ON subject
WHEN OLD.state <> NEW.state
BEGIN
  UPDATE subject_count SET n = n - 1 WHERE project_id = OLD.project_id AND state = OLD.state;
  INSERT INTO subject_count VALUES (NEW.project_id, NEW.state, 1) ON CONFLICT (project_id, state) DO UPDATE SET n = n + 1;
END;

-- Labels in force by camera, for what is likely at a task's. Only of subjects that nobody is asked about: retired ones that
-- are no gold. So the label of a task's own subject is never in it, whatever kind of task it is, and tasks of one camera
-- are told the same.
CREATE TABLE likely_count (
  project_id    INTEGER NOT NULL REFERENCES project(id),
  deployment_id INTEGER NOT NULL,                 -- 0: of all deployments
  taxon_id      INTEGER NOT NULL REFERENCES taxon(id),
  n             INTEGER NOT NULL,
  PRIMARY KEY (project_id, deployment_id, taxon_id)
) STRICT, WITHOUT ROWID;
INSERT INTO likely_count
SELECT s.project_id, s.deployment_id, x.taxon_id, count(*) FROM subject s
JOIN (SELECT id AS subject_id, label_id AS taxon_id FROM subject WHERE label_id IS NOT NULL
      UNION ALL SELECT subject_id, taxon_id FROM label_also) x ON x.subject_id = s.id
WHERE s.state = 'retired' AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = s.id)
GROUP BY s.project_id, s.deployment_id, x.taxon_id;
INSERT INTO likely_count SELECT project_id, 0, taxon_id, sum(n) FROM likely_count GROUP BY project_id, taxon_id;

-- One label more or less (step), at its camera and in all.
CREATE VIEW likely_step AS SELECT project_id, deployment_id, taxon_id, n AS step FROM likely_count WHERE n < 0;
CREATE TRIGGER likely_step_take INSTEAD OF INSERT ON likely_step
BEGIN
  INSERT INTO likely_count VALUES (NEW.project_id, NEW.deployment_id, NEW.taxon_id, NEW.step)
  ON CONFLICT (project_id, deployment_id, taxon_id) DO UPDATE SET n = n + excluded.n;
  INSERT INTO likely_count VALUES (NEW.project_id, 0, NEW.taxon_id, NEW.step)
  ON CONFLICT (project_id, deployment_id, taxon_id) DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER likely_label AFTER UPDATE OF label_id, state ON subject
WHEN (OLD.label_id IS NOT NEW.label_id OR OLD.state <> NEW.state) AND (OLD.state = 'retired' OR NEW.state = 'retired')
  AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = NEW.id)
BEGIN
  INSERT INTO likely_step SELECT OLD.project_id, OLD.deployment_id, OLD.label_id, -1
  WHERE OLD.state = 'retired' AND OLD.label_id IS NOT NULL;
  INSERT INTO likely_step SELECT NEW.project_id, NEW.deployment_id, NEW.label_id, 1
  WHERE NEW.state = 'retired' AND NEW.label_id IS NOT NULL;
  INSERT INTO likely_step SELECT NEW.project_id, NEW.deployment_id, a.taxon_id, CASE WHEN NEW.state = 'retired' THEN 1 ELSE -1 END
  FROM label_also a WHERE a.subject_id = NEW.id AND OLD.state <> NEW.state;
END;
CREATE TRIGGER likely_also AFTER INSERT ON label_also
BEGIN
  INSERT INTO likely_step SELECT s.project_id, s.deployment_id, NEW.taxon_id, 1 FROM subject s
  WHERE s.id = NEW.subject_id AND s.state = 'retired' AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = s.id);
END;
CREATE TRIGGER likely_no_more_also AFTER DELETE ON label_also
BEGIN
  INSERT INTO likely_step SELECT s.project_id, s.deployment_id, OLD.taxon_id, -1 FROM subject s
  WHERE s.id = OLD.subject_id AND s.state = 'retired' AND NOT EXISTS (SELECT 1 FROM gold g WHERE g.subject_id = s.id);
END;
-- What becomes gold may be asked about from then on.
CREATE TRIGGER likely_gold AFTER INSERT ON gold
BEGIN
  INSERT INTO likely_step SELECT s.project_id, s.deployment_id, s.label_id, -1 FROM subject s
  WHERE s.id = NEW.subject_id AND s.state = 'retired' AND s.label_id IS NOT NULL;
  INSERT INTO likely_step SELECT s.project_id, s.deployment_id, a.taxon_id, -1 FROM subject s
  JOIN label_also a ON a.subject_id = s.id WHERE s.id = NEW.subject_id AND s.state = 'retired';
END;
CREATE TRIGGER likely_no_more_gold AFTER DELETE ON gold
BEGIN
  INSERT INTO likely_step SELECT s.project_id, s.deployment_id, s.label_id, 1 FROM subject s
  WHERE s.id = OLD.subject_id AND s.state = 'retired' AND s.label_id IS NOT NULL;
  INSERT INTO likely_step SELECT s.project_id, s.deployment_id, a.taxon_id, 1 FROM subject s
  JOIN label_also a ON a.subject_id = s.id WHERE s.id = OLD.subject_id AND s.state = 'retired';
END;
