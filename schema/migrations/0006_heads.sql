-- What a model learns beside the species: the answers to a project's survey (docs/model.md, "Several tasks").

-- JSON {"count": {"2": share, ...}, "young": {"no": share, ...}, "behaviour:resting": ...}: what people said of the label's
-- species, for the questions that anybody answered; NULL: none.
ALTER TABLE training_item ADD COLUMN heads TEXT;

-- JSON {"count": ["2", p], "young": ["no", p], "behaviour:resting": ["yes", p]}: the likeliest class of every other head.
ALTER TABLE prediction ADD COLUMN heads TEXT;
