-- What one answer costs in a large project: the queue's indexes hold what is in the queue, and checks of three words and more
-- are comparisons. (SQLite fills a table of the words of an IN list each time that it checks one.)

DROP INDEX subject_queue;
CREATE INDEX subject_queue ON subject (project_id, state, priority DESC, id) WHERE state <> 'retired';
DROP INDEX subject_queue_by_guess;
CREATE INDEX subject_queue_by_guess ON subject (project_id, guess_id, priority DESC, id) WHERE state = 'open';

-- The same constraints in other words: no row changes and no table is copied (sqlite.org/lang_altertable.html, "some changes
-- that do not affect the on-disk content").
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = replace(sql, 'CHECK (answer IN (''taxa'', ''cant_tell'', ''undone''))',
  'CHECK (answer = ''taxa'' OR answer = ''cant_tell'' OR answer = ''undone'')')
WHERE type = 'table' AND name = 'classification';
UPDATE sqlite_master SET sql = replace(replace(replace(sql, 'CHECK (state IN (''open'', ''expert'', ''retired''))',
  'CHECK (state = ''open'' OR state = ''expert'' OR state = ''retired'')'),
  'CHECK (decided_by IN (''people'', ''model'', ''expert''))',
  'CHECK (decided_by = ''people'' OR decided_by = ''model'' OR decided_by = ''expert'')'),
  'CHECK (reason IN (''risk'', ''cap'', ''out_of_reach'', ''cant_tell'', ''certificate'', ''audit'', ''expert''))',
  'CHECK (reason = ''risk'' OR reason = ''cap'' OR reason = ''out_of_reach'' OR reason = ''cant_tell'' OR reason = ''certificate'' OR reason = ''audit'' OR reason = ''expert'')')
WHERE type = 'table' AND name = 'subject';
UPDATE sqlite_master SET sql = replace(sql, 'CHECK (what IN (''retired'', ''reopened'', ''relabelled'', ''to_expert''))',
  'CHECK (what = ''retired'' OR what = ''reopened'' OR what = ''relabelled'' OR what = ''to_expert'')')
WHERE type = 'table' AND name = 'label_event';
PRAGMA writable_schema = RESET;
