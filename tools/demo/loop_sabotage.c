/*
 * Sabotage: the same project, where the certified model's file is exchanged for one whose classes are shuffled, as if
 * somebody had mixed up a list. The certificate stands, the opinions are wrong, and only people's blind answers can tell.
 *
 * The copy is made when the second model has its certificate and has labelled nothing. What is done to the copy by hand,
 * and nowhere else: the head's rows are rotated by one and the file's new hash is put into `model`; its predictions of
 * open subjects are deleted, so that they are made again; the certificate, still on probation, is made active, and the
 * shadow audits drawn so far are dropped, as if probation had ended while the model was whole. That is the hard case: on
 * probation wrong labels would never be made, here they are and have to be taken back.
 */
#include "loop.h"

#include "child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum { MAX_MODEL_BYTES = 1 << 30 };

static void copy_path(const struct loop *l, char out[1100])
{
	snprintf(out, 1100, "%s/sabotage", l->o->dir);
}

enum status loop_sabotage_copy(struct loop *l, struct err *err)
{
	/* Photographs and renditions never change: links to them will do. The databases must be copies. */
	static const char script[] = "cp -al \"$1\" \"$2\" && cd \"$2\" && for f in *.db*; do "
								 "cp -a \"$f\" copy && mv -f copy \"$f\" || exit 1; done";
	char copy[1100];
	copy_path(l, copy);
	child_stop(&l->server);
	const char *const argv[] = {"sh", "-c", script, "sh", l->data, copy, NULL};
	enum status st = child_run(l->log, argv, NULL, err);
	return st == OK ? loop_serve(l, l->data, err) : st;
}

static uint8_t *read_file(const char *path, size_t *n, struct err *err)
{
	FILE *in = fopen(path, "rb");
	if (!in || fseek(in, 0, SEEK_END)) {
		if (in)
			fclose(in);
		err_set(err, NOT_FOUND, "cannot read %s: %m", path);
		return NULL;
	}
	long size = ftell(in);
	uint8_t *bytes = size > 8 && size < MAX_MODEL_BYTES ? xmalloc((size_t)size) : NULL;
	rewind(in);
	*n = bytes ? fread(bytes, 1, (size_t)size, in) : 0;
	fclose(in);
	if (bytes && *n == (size_t)size)
		return bytes;
	free(bytes);
	err_set(err, BAD_INPUT, "%s is no model", path);
	return NULL;
}

/* Rotates the rows of one tensor of a safetensors file by one. */
static bool rotate(uint8_t *file, size_t n, const json_t *header, size_t header_n, const char *name)
{
	json_t *tensor = json_object_get(header, name);
	json_t *ends = json_object_get(tensor, "data_offsets");
	size_t from = (size_t)json_integer_value(json_array_get(ends, 0));
	size_t to = (size_t)json_integer_value(json_array_get(ends, 1));
	size_t rows = (size_t)json_integer_value(json_array_get(json_object_get(tensor, "shape"), 0));
	if (rows < 2 || to <= from || (to - from) % rows || 8 + header_n + to > n)
		return false;
	uint8_t *at = file + 8 + header_n + from;
	size_t row = (to - from) / rows;
	uint8_t *first = xmalloc(row);
	memcpy(first, at, row);
	memmove(at, at + row, (rows - 1) * row);
	memcpy(at + (rows - 1) * row, first, row);
	free(first);
	return true;
}

static enum status shuffle_head(const char *from, const char *folder, char hex[65], struct err *err)
{
	size_t n = 0;
	uint64_t header_n = 0;
	uint8_t *file = read_file(from, &n, err);
	if (!file)
		return err->status;
	for (int i = 0; i < 8; i++)
		header_n |= (uint64_t)file[i] << (8 * i);
	json_t *header = header_n < n - 8 ? json_loadb((char *)file + 8, header_n, 0, NULL) : NULL;
	bool ok = rotate(file, n, header, header_n, "fc.weight") &&
		rotate(file, n, header, header_n, "fc.bias");
	json_decref(header);
	uint8_t hash[crypto_hash_sha256_BYTES];
	char to[1300];
	crypto_hash_sha256(hash, file, n);
	sodium_bin2hex(hex, 65, hash, sizeof hash);
	snprintf(to, sizeof to, "%s/%s.safetensors", folder, hex);
	FILE *out = ok ? fopen(to, "wb") : NULL;
	ok = out && fwrite(file, 1, n, out) == n;
	if (out && fclose(out))
		ok = false;
	free(file);
	return ok ? OK : err_set(err, FAULT, "cannot write the shuffled model %s", to);
}

/* The model of the certificate in force and the certificate's id; *certificate 0: there is none. */
static enum status find_certificate(const struct loop *l, const char *copy, long long *certificate,
	long long *model, char sha256[65], struct err *err)
{
	char *text = NULL;
	enum status st = loop_sql(l, copy,
		"SELECT c.id, m.id, lower(hex(m.sha256)) FROM certificate c JOIN model m ON m.id = "
		"c.model_id "
		"WHERE c.state IN ('probation', 'active')",
		&text, err);
	*certificate = 0;
	if (st == OK && *text && sscanf(text, "%lld|%lld|%64s", certificate, model, sha256) != 3)
		st = err_set(err, FAULT, "the certificate in force reads '%.60s'", text);
	free(text);
	return st;
}

static enum status tamper(const struct loop *l, const char *copy, long long certificate,
	long long model, const char *sha256, struct err *err)
{
	char from[1300], folder[1200], hex[65] = "", sql[1400];
	snprintf(folder, sizeof folder, "%s/models", copy);
	snprintf(from, sizeof from, "%s/%s.safetensors", folder, sha256);
	enum status st = shuffle_head(from, folder, hex, err);
	if (st != OK)
		return st;
	snprintf(sql, sizeof sql,
		"BEGIN; UPDATE model SET sha256 = x'%s' WHERE id = %lld; "
		"UPDATE subject SET prediction_id = NULL WHERE state = 'open'; "
		"UPDATE label_event SET prediction_id = NULL WHERE prediction_id IN (SELECT p.id FROM "
		"prediction p "
		"JOIN subject s ON s.id = p.subject_id WHERE p.model_id = %lld AND s.state = 'open'); "
		"DELETE FROM prediction WHERE model_id = %lld AND subject_id IN "
		"(SELECT id FROM subject WHERE state = 'open'); "
		"UPDATE subject SET blind = 0 WHERE state = 'open'; "
		"DELETE FROM audit WHERE certificate_id = %lld; "
		"UPDATE certificate SET state = 'active', active_ms = COALESCE(active_ms, issued_ms) "
		"WHERE id = %lld; COMMIT;",
		hex, model, model, model, certificate, certificate);
	return loop_sql(l, copy, sql, NULL, err);
}

/*
 * Where the model is not good enough for the project's own promise, the copy promises less, as far as there is something
 * to promise: a certificate must be there to be broken.
 */
static enum status promise_less(struct loop *l, const char *copy, double alpha, struct err *err)
{
	char rules[1100], none[1100];
	snprintf(rules, sizeof rules, "%s/rules.json", l->o->dir);
	snprintf(none, sizeof none, "%s/none.csv", l->o->dir);
	FILE *out = fopen(rules, "w");
	if (out) {
		fprintf(out, "{\"alpha\": %.2f}\n", alpha);
		fclose(out);
	}
	out = fopen(none, "w");
	if (out) {
		fputs("subject,label\n", out);
		fclose(out);
	}
	enum status st = loop_topi(l, NULL, err, "policy", "set", copy, l->slug, rules, NULL);
	/* No new gold, but the certificate is looked for again. */
	return st == OK ? loop_topi(l, NULL, err, "gold", "add", copy, l->slug, none, NULL) : st;
}

static enum status have_certificate(struct loop *l, const char *copy, long long *certificate,
	long long *model, char sha256[65], struct err *err)
{
	static const double promises[] = {0.1, 0.2, 0.3, 0.4};
	enum status st = find_certificate(l, copy, certificate, model, sha256, err);
	l->result.sabotage_alpha = 0.034;
	for (size_t i = 0; st == OK && !*certificate && i < sizeof promises / sizeof *promises; i++) {
		l->result.sabotage_alpha = promises[i];
		st = promise_less(l, copy, promises[i], err);
		if (st == OK)
			st = find_certificate(l, copy, certificate, model, sha256, err);
	}
	return st;
}

struct revoked {
	long long certificate;
};

/* The status names the certificate in force, else the last one: over when audits have revoked the one that follows it too. */
static bool is_over(const void *arg, const json_t *status)
{
	const struct revoked *wanted = arg;
	json_t *c = json_object_get(status, "certificate");
	const char *state = json_string_value(json_object_get(c, "state"));
	bool same = json_integer_value(json_object_get(c, "id")) == wanted->certificate ||
		json_integer_value(json_object_get(c, "after")) == wanted->certificate;
	return (same && state && !strcmp(state, "revoked")) ||
		(json_integer_value(json_object_get(status, "open")) == 0 &&
			json_integer_value(json_object_get(status, "expert")) == 0);
}

/* Labels of subjects that are not gold and stand on a certificate or a later one. */
static enum status count_labels(
	struct loop *l, const char *copy, long long certificate, int *n, struct err *err)
{
	struct table table;
	enum status st = loop_table(l, copy, &table, err);
	*n = 0;
	for (int i = 0; st == OK && i < table.n; i++)
		*n += table.rows[i].certificate >= certificate &&
			!strcmp(table.rows[i].decided_by, "model");
	table_release(&table);
	return st;
}

static enum status read_verdict(
	struct loop *l, const char *copy, long long certificate, struct err *err)
{
	char *text = NULL;
	size_t i;
	json_t *c;
	enum status st = loop_topi(l, &text, err, "certificate", "list", copy, l->slug, "--json", NULL);
	json_t *all = st == OK ? json_loads(text, 0, NULL) : NULL;
	l->result.sabotage = SABOTAGE_MISSED;
	json_array_foreach(json_object_get(all, "certificates"), i, c)
	{
		const char *state = json_string_value(json_object_get(c, "state"));
		if (json_integer_value(json_object_get(c, "id")) == certificate && state &&
			!strcmp(state, "revoked"))
			l->result.sabotage = SABOTAGE_REVOKED;
	}
	json_decref(all);
	free(text);
	return st;
}

enum status loop_sabotage_run(struct loop *l, struct err *err)
{
	char copy[1100], sha256[65] = "";
	long long certificate = 0, model = 0;
	copy_path(l, copy);
	enum status st = have_certificate(l, copy, &certificate, &model, sha256, err);
	if (st == OK && !certificate) {
		loop_say(l, "sabotage: the model earns no certificate, whatever is promised");
		return OK;
	}
	struct revoked wanted = {certificate};
	if (st == OK)
		st = tamper(l, copy, certificate, model, sha256, err);
	if (st == OK)
		st = loop_serve(l, copy, err);
	if (st == OK)
		st = loop_topi(l, NULL, err, "predict", copy, l->slug, NULL);
	if (st == OK)
		st = loop_settle(l, err);
	if (st == OK)
		st = count_labels(l, copy, certificate, &l->result.n_sabotage_labels, err);
	if (st == OK)
		loop_say(l, "sabotage: a promise of %.3f, %d labels by the shuffled model",
			l->result.sabotage_alpha, l->result.n_sabotage_labels);
	if (st == OK)
		st = people_work(&l->people, l->url, is_over, &wanted, err);
	if (st == OK)
		st = read_verdict(l, copy, certificate, err);
	if (st == OK) /* the server takes labels back in pieces */
		st = loop_settle(l, err);
	if (st == OK)
		st = count_labels(l, copy, certificate, &l->result.n_sabotage_left, err);
	child_stop(&l->server);
	if (st == OK)
		loop_say(l, "sabotage: certificate %s, %d of its labels left",
			l->result.sabotage == SABOTAGE_REVOKED ? "revoked" : "stands",
			l->result.n_sabotage_left);
	return st;
}
