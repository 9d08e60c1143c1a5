-- name: setting_get
SELECT value FROM setting WHERE name = ?1;
