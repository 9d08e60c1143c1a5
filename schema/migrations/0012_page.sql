-- What the page needs of a large project, each in a few steps of an index: leases that stay for months, and the next
-- subject of another camera.

-- Dead leases stay for as long as a session (an answer given off line may come months later), so live ones are found by
-- their end, and the old by it too.
DROP INDEX task_by_volunteer;
CREATE INDEX task_by_volunteer ON task (volunteer_id, project_id, expires_ms);
CREATE INDEX task_by_end ON task (expires_ms);

-- A camera's open subjects, the first in the queue first.
CREATE INDEX subject_open_by_deployment ON subject (project_id, deployment_id, priority DESC, id) WHERE state = 'open';
