-- What the next task costs in a large project.

-- What a volunteer's last answers of the day were to, a bit each, the last one lowest and a 1 before them all: 1 where the subject
-- was taken for a blank then (core/blank_feed.h). So no answers are read.
ALTER TABLE answer_day ADD COLUMN recent INTEGER NOT NULL DEFAULT 1;

-- With the camera: who has answered thousands of the queue passes over them without reading a subject.
DROP INDEX subject_queue;
CREATE INDEX subject_queue ON subject (project_id, state, priority DESC, id, deployment_id) WHERE state <> 'retired';
