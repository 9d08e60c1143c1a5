/* Projects as volunteers see them, and a project's state for those who run it. */
#include "handlers.h"

static json_t *project_json(const char *slug, const char *title, const char *description,
	int64_t n_open, int64_t n_expert, int64_t n_retired)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "slug", slug, "title", title, "description",
		description, "n_subjects", (json_int_t)(n_open + n_expert + n_retired), "n_open",
		(json_int_t)n_open, "n_retired", (json_int_t)n_retired);
}

static const char *const in_languages[] = {"titles", "descriptions"};

enum status handle_projects(struct request *r, struct reply *reply, struct err *err)
{
	json_t *list = json_array();
	struct stmt *row = db_query(r->db, Q_PROJECT_LIST, "");
	enum status st;
	reply->json = json_pack("{s:o}", "projects", list);
	while ((st = db_step(row, err)) == OK) {
		json_t *texts = json_loads(col_text(row, 7), 0, NULL);
		json_t *one = project_json(col_text(row, 1), col_text(row, 2), col_text(row, 3),
			col_int(row, 4), col_int(row, 5), col_int(row, 6));
		for (int i = 0; i < 2; i++)
			if (json_object_get(texts, in_languages[i]))
				json_object_set(one, in_languages[i], json_object_get(texts, in_languages[i]));
		json_array_append_new(list, one);
		json_decref(texts);
	}
	return st == NOT_FOUND ? OK : st;
}

enum status handle_project(struct request *r, struct reply *reply, struct err *err)
{
	json_t *taxa = json_array();
	struct stmt *row = NULL;
	enum status st = db_one(r->db, Q_PAGE_PROJECT, &row, err, "i", r->project_id);
	if (st == OK) {
		reply->json = project_json(r->args[0], col_text(row, 0), col_text(row, 1), col_int(row, 2),
			col_int(row, 3), col_int(row, 4));
		json_object_set_new(reply->json, "survey", json_loads(col_text(row, 5), 0, NULL));
		db_done(row);
		row = db_query(r->db, Q_PAGE_TAXA, "i", r->project_id);
	}
	while (st == OK && (st = db_step(row, err)) == OK)
		json_array_append_new(taxa,
			json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)col_int(row, 0), "code",
				col_text(row, 1), "kind", col_text(row, 2), "common_name", col_text(row, 3),
				"scientific_name", col_text(row, 4), "hotkey", col_text(row, 5)));
	json_object_set_new(reply->json, "taxa", taxa);
	return st == NOT_FOUND ? put_texts(r, reply->json, taxa, err) : st;
}

static enum status put_counts(struct request *r, json_t *out, struct err *err)
{
	struct stmt *row = NULL;
	json_t *by = json_pack("{s:i, s:i, s:i}", "people", 0, "model", 0, "expert", 0);
	json_object_set_new(out, "by", by);
	enum status st = db_one(r->db, Q_PAGE_PROJECT, &row, err, "i", r->project_id);
	if (st != OK)
		return st;
	int64_t n[3] = {col_int(row, 2), col_int(row, 3), col_int(row, 4)};
	db_done(row);
	json_object_set_new(out, "n_subjects", json_integer(n[0] + n[1] + n[2]));
	json_object_set_new(out, "open", json_integer(n[0]));
	json_object_set_new(out, "expert", json_integer(n[1]));
	json_object_set_new(out, "retired", json_integer(n[2]));
	row = db_query(r->db, Q_STATUS_DECIDED, "i", r->project_id);
	while ((st = db_step(row, err)) == OK)
		json_object_set_new(by, col_text(row, 0), json_integer(col_int(row, 1)));
	if (st != NOT_FOUND)
		return st;
	st = db_one(r->db, Q_STATUS_ANSWERS, &row, err, "i", r->project_id);
	if (st != OK)
		return st;
	json_object_set_new(out, "n_answers", json_integer(col_int(row, 0)));
	json_object_set_new(out, "n_expert_answers", json_integer(col_int(row, 1)));
	db_done(row);
	st = db_one(r->db, Q_STATUS_GOLD, &row, err, "i", r->project_id);
	if (st != OK)
		return st;
	json_object_set_new(out, "gold",
		json_pack("{s:I, s:I, s:I}", "n", (json_int_t)col_int(row, 0), "n_labelled",
			(json_int_t)col_int(row, 1), "n_from_file", (json_int_t)col_int(row, 2)));
	db_done(row);
	return OK;
}

static enum status put_model(struct request *r, json_t *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(r->db, Q_STATUS_MODEL, &row, err, "i", r->project_id);
	json_object_set_new(out, "model", json_null());
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	json_object_set_new(out, "model",
		json_pack("{s:I, s:s, s:b, s:I}", "id", (json_int_t)col_int(row, 0), "name",
			col_text(row, 1), "calibrated", (int)col_int(row, 2), "n_calibration",
			(json_int_t)col_int(row, 3)));
	db_done(row);
	return OK;
}

static enum status put_certificate(struct request *r, json_t *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(r->db, Q_STATUS_CERTIFICATE, &row, err, "i", r->project_id);
	json_object_set_new(out, "certificate", json_null());
	if (st != OK)
		return st == NOT_FOUND ? OK : st;
	json_object_set_new(out, "certificate",
		json_pack("{s:I, s:s, s:f, s:f, s:f, s:I, s:I, s:I, s:f, s:f, s:s?, s:I, s:I, s:o}", "id",
			(json_int_t)col_int(row, 0), "state", col_text(row, 1), "threshold", col_real(row, 2),
			"alpha", col_real(row, 3), "delta", col_real(row, 4), "n_gold",
			(json_int_t)col_int(row, 5), "n_above", (json_int_t)col_int(row, 6), "n_wrong",
			(json_int_t)col_int(row, 7), "p_error_upper", col_real(row, 8), "audit_rate",
			col_real(row, 9), "why", col_null(row, 10) ? NULL : col_text(row, 10), "n_audits",
			(json_int_t)col_int(row, 11), "n_errors", (json_int_t)col_int(row, 12), "after",
			col_null(row, 13) ? json_null() : json_integer(col_int(row, 13))));
	db_done(row);
	return OK;
}

static enum status put_jobs(struct request *r, json_t *out, struct err *err)
{
	json_t *jobs = json_array();
	struct stmt *row = db_query(r->db, Q_STATUS_JOBS, "i", r->project_id);
	enum status st;
	json_object_set_new(out, "jobs", jobs);
	while ((st = db_step(row, err)) == OK)
		json_array_append_new(jobs,
			json_pack("{s:I, s:s, s:s, s:I, s:I, s:s?}", "id", (json_int_t)col_int(row, 0), "kind",
				col_text(row, 1), "state", col_text(row, 2), "n_done", (json_int_t)col_int(row, 3),
				"n_total", (json_int_t)col_int(row, 4), "error",
				col_null(row, 5) ? NULL : col_text(row, 5)));
	return st == NOT_FOUND ? OK : st;
}

enum status handle_status(struct request *r, struct reply *reply, struct err *err)
{
	reply->json = json_object();
	enum status st = db_read_begin(r->db, err); /* one moment, not five */
	if (st != OK)
		return st;
	st = put_counts(r, reply->json, err);
	if (st == OK)
		st = put_model(r, reply->json, err);
	if (st == OK)
		st = put_certificate(r, reply->json, err);
	if (st == OK)
		st = put_jobs(r, reply->json, err);
	db_rollback(r->db);
	return st;
}
