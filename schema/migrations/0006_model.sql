-- What a model learns beside the species: the answers to a project's survey (docs/model.md, "Several tasks"); and in which
-- size it sees photographs.

-- JSON {"count": {"2": share, ...}, "young": {"no": share, ...}, "behaviour:resting": ...}: what people said of the label's
-- species, for the questions that anybody answered; NULL: none.
ALTER TABLE training_item ADD COLUMN heads TEXT;

-- JSON {"count": ["2", p], "young": ["no", p], "behaviour:resting": ["yes", p]}: the likeliest class of every other head.
ALTER TABLE prediction ADD COLUMN heads TEXT;

-- Long side of the renditions that models see: of imports to come, and of a photograph's own.
ALTER TABLE project ADD COLUMN model_px INTEGER NOT NULL DEFAULT 448 CHECK (model_px > 320 AND model_px < 1280);
ALTER TABLE media ADD COLUMN model_px INTEGER NOT NULL DEFAULT 448;
