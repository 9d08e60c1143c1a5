-- What a project's people wrote for volunteers: texts in other languages, looks to find a species by, pairs that are mixed
-- up, pages and pictures.

-- JSON, as the project's file has them (core/texts.h): {"titles", "descriptions": {language: text}, "looks": [...],
-- "confusions": [...]}; what is not there is left out.
ALTER TABLE project ADD COLUMN texts TEXT NOT NULL DEFAULT '{}';
-- JSON: {"names": {language: text}, "looks": {look: [values]}}
ALTER TABLE taxon ADD COLUMN texts TEXT NOT NULL DEFAULT '{}';

-- Pages, of the folder that was taken last (core/pages.h).
CREATE TABLE page (
  project_id INTEGER NOT NULL REFERENCES project(id),
  name       TEXT NOT NULL,                       -- 'guide', 'tutorial', 'guide/CODE' or 'practice/CODE' of a taxon
  language   TEXT NOT NULL,                       -- '': the project's own
  markdown   TEXT NOT NULL,
  PRIMARY KEY (project_id, name, language)
) STRICT, WITHOUT ROWID;

-- Pictures of the folder: bytes at pages/ab/<file>.
CREATE TABLE page_picture (
  project_id INTEGER NOT NULL REFERENCES project(id),
  name       TEXT NOT NULL,                       -- path in the folder, without what follows its last dot
  file       TEXT NOT NULL,                       -- sha256 in hex and the content's type: '<64 digits>.png'
  PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX page_picture_by_file ON page_picture (project_id, file);
