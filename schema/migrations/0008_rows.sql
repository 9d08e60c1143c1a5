-- What an answer of a volunteer says needs the sum of each row of their counts: kept with their skill, so that one row is read
-- instead of all their cells.

-- (uint32 taxon id, float64 sum of skill_cell.weight over answers), little endian, sums above 0 (derived); NULL: not added up yet
ALTER TABLE skill ADD COLUMN row_sums BLOB;
