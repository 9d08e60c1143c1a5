/* The project that exports are tested on. */
#include "support_export.h"

#include "project.h"

#include <sqlite3.h>
#include <stdio.h>

static const char project_file[] =
	"{\"slug\": \"two-zones\", \"title\": \"Two zones, \\\"one\\\" project\", \"description\": \"A "
	"test.\","
	" \"taxa\": ["
	"{\"code\": \"zebra\", \"scientific_name\": \"Equus quagga\", \"common_name\": \"zebra\", "
	"\"rank\": \"species\"},"
	"{\"code\": \"rhino\", \"scientific_name\": \"Diceros bicornis\", \"common_name\": \"rhino\", "
	"\"protected\": true},"
	"{\"code\": \"human\", \"kind\": \"human\", \"common_name\": \"person\"},"
	"{\"code\": \"vehicle\", \"kind\": \"vehicle\", \"common_name\": \"car\"},"
	"{\"code\": \"blank\", \"kind\": \"blank\", \"common_name\": \"nothing here\"}],"
	" \"camtrap\": {\"contributors\": [{\"title\": \"Ada\", \"role\": \"contact\"}],"
	" \"samplingDesign\": \"targeted\", \"captureMethod\": [\"activityDetection\"],"
	" \"licenses\": [{\"name\": \"CC0-1.0\", \"scope\": \"data\"}, {\"name\": \"CC-BY-4.0\", "
	"\"scope\": \"media\"}]}}";

/* 1590800000000 is 2020-05-30T00:53:20Z. */
static const char rows[] =
	"INSERT INTO volunteer (id, name, created_ms) VALUES (1, 'Grace Secret', 0), (2, 'Expert "
	"Secret', 0);"
	"INSERT INTO deployment (id, project_id, name, latitude_deg, longitude_deg, utc_offset_s, "
	"clock_shift_s, created_ms)"
	" VALUES (1, 1, 'cam, \"A\"', -2.34567, 34.81234, 10800, 0, 0), (2, 1, 'NA', 10.5, -60.25, "
	"-12600, 3600, 0),"
	" (3, 1, 'cam A again', -2.34570, 34.81230, 10800, 0, 0), (4, 1, 'never used', NULL, NULL, 0, "
	"0, 0);"
	"INSERT INTO model (id, project_id, name, sha256, arch, backbone, classes, created_ms) VALUES"
	" (1, 1, 'm1', X'abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789', "
	"'resnet18', 'b', '[]', 0);"
	"INSERT INTO certificate (id, project_id, model_id, policy_id, alpha, delta, threshold, "
	"n_gold, n_above, n_wrong,"
	" p_error_upper, audit_rate, state, issued_ms) VALUES (7, 1, 1, 1, .05, .05, .9, 100, 90, 0, "
	".03, .02, 'active', 0);"
	"INSERT INTO subject (id, project_id, deployment_id, event_name, start_ms, end_ms, created_ms) "
	"VALUES"
	" (1, 1, 1, NULL, 1590800000000, 1590800005000, 0), (2, 1, 1, 'ev|2', 1590810000000, "
	"1590810000000, 0),"
	" (3, 1, 1, NULL, 1590820000000, 1590820000000, 0), (4, 1, 2, NULL, 1590800000000, "
	"1590800000000, 0),"
	" (5, 1, 2, NULL, 1590810000000, 1590810000000, 0), (6, 1, 2, NULL, 1590820000000, "
	"1590820000000, 0),"
	" (7, 1, 2, NULL, 1590830000000, 1590830000000, 0), (8, 1, 3, NULL, 1590900000000, "
	"1590900000000, 0);"
	"INSERT INTO prediction (id, subject_id, model_id, n_frames, top_id, p_top, top, created_ms) "
	"VALUES (1, 3, 1, 1, 5, .99, X'', 0);"
	"UPDATE subject SET state = 'retired', label_id = 1, p_label = 0.9876, decided_by = 'people', "
	"reason = 'risk',"
	" decided_ms = 1590900000000, policy_id = 1, n_answers = 3 WHERE id = 1;"
	"UPDATE subject SET state = 'retired', label_id = 2, p_label = 1, decided_by = 'expert', "
	"reason = 'expert',"
	" decided_ms = 1590900000000, policy_id = 1 WHERE id = 2;"
	"UPDATE subject SET state = 'retired', label_id = 5, p_label = 0.999, decided_by = 'model', "
	"reason = 'certificate',"
	" decided_ms = 1590900000000, policy_id = 1, prediction_id = 1, certificate_id = 7 WHERE id = "
	"3;"
	"UPDATE subject SET state = 'retired', reason = 'cant_tell', n_cant_tell = 3, decided_ms = "
	"1590900000000 WHERE id = 5;"
	"UPDATE subject SET state = 'retired', label_id = 3, p_label = 0.97, decided_by = 'people', "
	"reason = 'risk',"
	" decided_ms = 1590900000000, policy_id = 1, n_answers = 2 WHERE id = 6;"
	"UPDATE subject SET state = 'expert', n_answers = 20 WHERE id = 7;"
	"UPDATE subject SET state = 'retired', label_id = 4, p_label = 1, decided_by = 'expert', "
	"reason = 'expert',"
	" decided_ms = 1590900000000, policy_id = 1 WHERE id = 8;"
	"INSERT INTO gold (subject_id, project_id, purpose, p_draw, taxon_id, expert_id, drawn_ms, "
	"plant_u) "
	"VALUES"
	" (2, 1, 'certify', .1, 2, 2, 0, 0), (8, 1, 'probe', NULL, 4, NULL, 0, 0);"
	"INSERT INTO audit (subject_id, certificate_id, kind, p_draw, model_label_id, state, drawn_ms) "
	"VALUES"
	" (3, 7, 'audit', .02, 5, 'crowd', 0);"
	"INSERT INTO media (id, project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
	"width_px, height_px,"
	" crop_bottom_px, camera_ms, taken_ms, created_ms)"
	" SELECT id, 1, deployment_id, id, CAST(printf('%032d', id) AS BLOB), 1, printf('IMG_%d.JPG', "
	"id), 1, 1, 0, start_ms,"
	" start_ms, 0 FROM subject;"
	"INSERT INTO media (id, project_id, deployment_id, subject_id, sha256, n_bytes, file_name, "
	"width_px, height_px,"
	" crop_bottom_px, camera_ms, taken_ms, created_ms) VALUES (9, 1, 1, 1, CAST(printf('%032d', 9) "
	"AS BLOB), 1,"
	" 'Gro\xc3\x9f, \"a|b\"\n\xff.jpg', 1, 1, 0, 1590800005000, 1590800005000, 0);"
	"INSERT INTO classification (id, uuid, project_id, subject_id, volunteer_id, answer, counted, "
	"expert, blind, policy_id,"
	" model_id, duration_ms, created_ms) VALUES"
	" (1, CAST(printf('%016d', 1) AS BLOB), 1, 1, 1, 'taxa', 1, 0, 0, 1, NULL, 1500, "
	"1590899000000),"
	" (2, CAST(printf('%016d', 2) AS BLOB), 1, 1, 2, 'taxa', 1, 0, 0, 1, 1, NULL, 1590900000000),"
	" (3, CAST(printf('%016d', 3) AS BLOB), 1, 5, 1, 'cant_tell', 1, 0, 1, 1, NULL, NULL, "
	"1590900000000),"
	" (4, CAST(printf('%016d', 4) AS BLOB), 1, 4, 1, 'taxa', 1, 0, 0, 1, NULL, NULL, "
	"1590900000000),"
	" (5, CAST(printf('%016d', 5) AS BLOB), 1, 4, 1, 'undone', 0, 0, 0, 1, NULL, NULL, "
	"1590900001000),"
	" (6, CAST(printf('%016d', 6) AS BLOB), 1, 2, 2, 'taxa', 1, 1, 0, 1, NULL, NULL, "
	"1590900000000);"
	"UPDATE classification SET superseded_by = 5 WHERE id = 4;"
	"INSERT INTO flag (subject_id, volunteer_id, kind, project_id, created_ms, closed_ms) VALUES "
	"(1, 1, 'person', 1, 0, 1), (8, 1, 'offensive', 1, 0, NULL);"
	"UPDATE classification SET guess_id = 1, guess_model_id = 1, told = 1 WHERE id = 2;"
	"INSERT INTO annotation (classification_id, taxon_id, count) VALUES (1, 1, 2), (2, 1, 5), (4, "
	"1, 9), (6, 2, NULL);";

int export_world_sql(const char *data, const char *sql)
{
	char path[200];
	char *words = NULL;
	sqlite3 *raw = NULL;
	snprintf(path, sizeof path, "%s/topi.db", data);
	int code = sqlite3_open(path, &raw);
	if (code == SQLITE_OK)
		code = sqlite3_exec(raw, sql, NULL, NULL, &words);
	if (code != SQLITE_OK)
		fprintf(stderr, "%s\n", words ? words : sqlite3_errmsg(raw));
	sqlite3_free(words);
	sqlite3_close(raw);
	return code == SQLITE_OK ? 0 : -1;
}

int export_world_make(const char *data, struct db **out)
{
	struct err err = {0};
	int64_t id = 0;
	json_t *file = json_loads(project_file, 0, NULL);
	bool ok = file && db_open(data, DB_CREATE, out, &err) == OK &&
		project_add(*out, file, export_world_ms, &id, &err) == OK;
	json_decref(file);
	if (!ok)
		fprintf(stderr, "%s\n", err.text);
	return ok ? export_world_sql(data, rows) : -1;
}
