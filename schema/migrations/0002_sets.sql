-- Several species in one subject, and what a project asks about each (docs/consensus.md, "Several species in one subject").

-- JSON: the questions that follow a species: {"count", "young", "sex", "life_stage": true, "behaviours": ["resting", ...]}.
ALTER TABLE project ADD COLUMN survey TEXT NOT NULL DEFAULT '{}';

-- 1: the volunteer saw several species; the annotations name those that they could.
ALTER TABLE classification ADD COLUMN several INTEGER NOT NULL DEFAULT 0 CHECK (several IN (0, 1));

-- A label of several species: subject.label_id is the surest of them, these are the others.
CREATE TABLE label_also (
  subject_id INTEGER NOT NULL REFERENCES subject(id),
  taxon_id   INTEGER NOT NULL REFERENCES taxon(id),
  PRIMARY KEY (subject_id, taxon_id)
) STRICT, WITHOUT ROWID;
-- JSON list of the taxon ids that the label named besides label_id.
ALTER TABLE label_event ADD COLUMN also TEXT NOT NULL DEFAULT '[]';

-- The class prior counts them as it counts label_id.
CREATE TRIGGER class_prior_count_also AFTER INSERT ON label_also
BEGIN
  UPDATE class_prior SET n = n + 1 WHERE taxon_id = NEW.taxon_id
    AND project_id = (SELECT s.project_id FROM subject s WHERE s.id = NEW.subject_id);
END;
CREATE TRIGGER class_prior_uncount_also AFTER DELETE ON label_also
BEGIN
  UPDATE class_prior SET n = n - 1 WHERE taxon_id = OLD.taxon_id
    AND project_id = (SELECT s.project_id FROM subject s WHERE s.id = OLD.subject_id);
END;

-- How often people name a species that is there or is not: what subjects of several species and gold have taught
-- (weighted answers), and the two rates as of the last remix, which also knows the pooled matrix's counts.
CREATE TABLE set_rate (
  project_id INTEGER NOT NULL REFERENCES project(id),
  taxon_id   INTEGER NOT NULL REFERENCES taxon(id),
  hit        REAL NOT NULL DEFAULT 0,             -- there and named
  miss       REAL NOT NULL DEFAULT 0,             -- there and not named
  alarm      REAL NOT NULL DEFAULT 0,             -- not there and named
  quiet      REAL NOT NULL DEFAULT 0,             -- not there and not named
  p_miss     REAL NOT NULL,
  p_alarm    REAL NOT NULL,
  PRIMARY KEY (project_id, taxon_id)
) STRICT, WITHOUT ROWID;
INSERT INTO set_rate (project_id, taxon_id, p_miss, p_alarm) SELECT project_id, id, 0.2, 0.01 FROM taxon WHERE kind <> 'blank';

-- Auto-labels by taxon: those of a taxon that has become protected are taken back.
CREATE INDEX subject_by_model_label ON subject (label_id) WHERE decided_by = 'model';
