/* One list after another, an element at a time. */
#include "own_data.h"

#include "classification.h"

#include <jansson.h>
#include <string.h>

/* What a column is: text, number, yes or no, JSON text, or one that is there only where it is not NULL (number). */
enum kind { TEXT, NUMBER, YES_NO, JSON, MAYBE };

struct column {
	const char *name;
	enum kind kind;
};

static void put_column(json_t *out, struct column c, const struct stmt *row, int i)
{
	json_t *value = NULL;
	switch (c.kind) {
	case TEXT:
		value = col_null(row, i) ? json_null() : json_string(col_text(row, i));
		break;
	case NUMBER:
		value = json_integer((json_int_t)col_int(row, i));
		break;
	case YES_NO:
		value = json_boolean(col_int(row, i) != 0);
		break;
	case JSON:
		value = json_loads(col_text(row, i), 0, NULL);
		break;
	case MAYBE:
		value = col_null(row, i) ? NULL : json_integer((json_int_t)col_int(row, i));
		break;
	}
	if (value)
		json_object_set_new(out, c.name, value);
}

static void put_element(json_t *one, bool first, FILE *out)
{
	fputs(first ? "\n" : ",\n", out);
	json_dumpf(one, out, JSON_COMPACT);
	json_decref(one);
}

static enum status put_list(struct db *db, const char *name, enum query query,
	const struct column *columns, int64_t volunteer_id, FILE *out, struct err *err)
{
	enum status st;
	bool first = true;
	struct stmt *row = db_query(db, query, "i", volunteer_id);
	fprintf(out, ",\n\"%s\": [", name);
	while ((st = db_step(row, err)) == OK) {
		json_t *one = json_object();
		for (int i = 0; columns[i].name; i++)
			put_column(one, columns[i], row, i);
		put_element(one, first, out);
		first = false;
	}
	fputs("]", out);
	return st == NOT_FOUND ? OK : st;
}

static json_t *answer_json(const struct stmt *row)
{
	static const struct column columns[] = {{"project", TEXT}, {"subject", NUMBER},
		{"at_ms", NUMBER}, {"answer", TEXT}, {"several", YES_NO}, {"duration_ms", MAYBE},
		{"taken_back", YES_NO}, {"expert", YES_NO}, {"guess", MAYBE}};
	char uuid[37];
	size_t n = 0;
	json_t *one = json_object();
	uuid_format(col_blob(row, 1, &n), uuid); /* the schema says 16 bytes */
	json_object_set_new(one, "uuid", json_string(uuid));
	for (int i = 0; i < (int)(sizeof columns / sizeof *columns); i++)
		put_column(one, columns[i], row, i + 2);
	json_object_set_new(one, "taxa", json_array());
	return one;
}

static void put_taxon(json_t *answer, const struct stmt *row)
{
	static const struct column columns[] = {{"taxon", NUMBER}, {"count", MAYBE}, {"details", JSON}};
	json_t *one = json_object();
	for (int i = 0; i < 3; i++)
		put_column(one, columns[i], row, i + 11);
	json_array_append_new(json_object_get(answer, "taxa"), one);
}

/* A row is a species of an answer; those of one answer follow each other. */
static enum status put_answers(struct db *db, int64_t volunteer_id, FILE *out, struct err *err)
{
	enum status st;
	int64_t last = 0;
	bool first = true;
	json_t *one = NULL;
	struct stmt *row = db_query(db, Q_OWN_ANSWERS, "i", volunteer_id);
	fputs(",\n\"answers\": [", out);
	while ((st = db_step(row, err)) == OK) {
		if (col_int(row, 0) != last) {
			if (one) {
				put_element(one, first, out);
				first = false;
			}
			one = answer_json(row);
		}
		last = col_int(row, 0);
		if (!col_null(row, 11))
			put_taxon(one, row);
	}
	if (one)
		put_element(one, first, out);
	fputs("]", out);
	return st == NOT_FOUND ? OK : st;
}

static enum status put_account(
	struct db *db, int64_t volunteer_id, int64_t now_ms, FILE *out, struct err *err)
{
	static const struct column columns[] = {
		{"id", NUMBER}, {"name", TEXT}, {"created_ms", NUMBER}, {"admin", YES_NO}};
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_OWN_ACCOUNT, &row, err, "i", volunteer_id);
	if (st != OK)
		return st;
	json_t *account = json_object();
	for (int i = 0; i < 4; i++)
		put_column(account, columns[i], row, i);
	db_done(row);
	fprintf(out, "{\"made_ms\": %lld,\n\"account\": ", (long long)now_ms);
	json_dumpf(account, out, JSON_COMPACT);
	json_decref(account);
	return OK;
}

enum status own_data_write(
	struct db *db, int64_t volunteer_id, int64_t now_ms, FILE *out, struct err *err)
{
	static const struct {
		const char *name;
		enum query query;
		struct column columns[6];
	} lists[] = {
		{"roles", Q_ROLE_LIST, {{"project", TEXT}, {"role", TEXT}}},
		{"sessions", Q_OWN_SESSIONS, {{"created_ms", NUMBER}, {"expires_ms", NUMBER}}},
		{"leases", Q_OWN_LEASES,
			{{"project", TEXT}, {"subject", NUMBER}, {"issued_ms", NUMBER},
				{"expires_ms", NUMBER}}},
		{"flags", Q_OWN_FLAGS,
			{{"project", TEXT}, {"subject", NUMBER}, {"kind", TEXT}, {"at_ms", NUMBER}}},
		{"comments", Q_OWN_COMMENTS,
			{{"project", TEXT}, {"subject", NUMBER}, {"at_ms", NUMBER}, {"text", TEXT},
				{"hidden", YES_NO}}},
		{"practice", Q_OWN_PRACTICE, {{"project", TEXT}, {"subject", NUMBER}, {"at_ms", NUMBER}}},
		{"overheard", Q_OWN_OVERHEARD, {{"project", TEXT}, {"subject", NUMBER}, {"at_ms", NUMBER}}},
		{"skill", Q_OWN_SKILL, {{"project", TEXT}, {"made_ms", NUMBER}, {"skill", JSON}}},
	};
	enum status st = put_account(db, volunteer_id, now_ms, out, err);
	if (st == OK)
		st = put_answers(db, volunteer_id, out, err);
	for (size_t i = 0; st == OK && i < sizeof lists / sizeof *lists; i++)
		st = put_list(db, lists[i].name, lists[i].query, lists[i].columns, volunteer_id, out, err);
	fputs("}\n", out);
	if (st == OK && (fflush(out) != 0 || ferror(out)))
		st = err_set(err, FULL, "the disk is full: the copy of your data cannot be made");
	return st;
}
