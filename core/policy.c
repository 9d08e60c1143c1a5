/* One table of fields: name, place, kind and range. Parsing, printing and the messages all come from it. */
#include "policy.h"

#include "cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { REAL, REAL_OR_AUTO, WHOLE, YES_NO, COSTS };

struct field {
	const char *name;
	size_t offset;
	enum kind kind;
	double low, high;
};

#define AT(member) #member, offsetof(struct policy, member)

static const struct field fields[] = {
	{AT(alpha), REAL, 0.0001, 0.5},
	{AT(alpha_blank), REAL, 0.0001, 0.5},
	{AT(delta), REAL, 0.0001, 0.5},
	{AT(tau), REAL, 0.0001, 0.5},
	{AT(audit_tau), REAL, 0.0001, 0.5},
	{AT(kappa), REAL_OR_AUTO, 0, 10},
	{AT(cap), WHOLE, 1, 1000},
	{AT(cant_tell), WHOLE, 1, 1000},
	{AT(min_answers), WHOLE, 1, 1000},
	{AT(protected_expert), YES_NO, 0, 1},
	{AT(auto_label), YES_NO, 0, 1},
	{AT(auto_blank), YES_NO, 0, 1},
	{AT(common_gold), WHOLE, 1, 100000},
	{AT(audit_rate), REAL, 0.001, 1},
	{AT(audits), WHOLE, 10, 100000},
	{AT(expert_share), REAL, 0, 1},
	{AT(drift_delta), REAL, 0.0001, 0.5},
	{AT(drift_rate), REAL, 0.001, 1},
	{AT(auto_weight), REAL, 0, 0.2},
	{AT(plant_first), REAL, 0, 0.5},
	{AT(plant_rate), REAL, 0, 0.5},
	{AT(plant_blank), REAL, 0, 0.5},
	{AT(plant_rare), REAL, 0, 0.5},
	{AT(blank_share), REAL, 0, 0.8},
	{AT(confirm_above), REAL, 0, 1},
	{AT(confirm_ends), YES_NO, 0, 1},
	{AT(confirm_blind), REAL, 0, 1},
	{AT(confirm_wrong), REAL, 0, 0.5},
	{AT(reveal), YES_NO, 0, 1},
	{AT(reveal_others), YES_NO, 0, 1},
	{AT(lease_s), WHOLE, 10, 86400},
	{AT(refit_hour), WHOLE, -1, 23},
	{AT(costs), COSTS, 0, 100},
};

enum { N_FIELDS = sizeof fields / sizeof *fields };

struct policy policy_default(void)
{
	return (struct policy){
		.alpha = 0.034,
		.alpha_blank = 0.01,
		.delta = 0.05,
		.tau = 0.034,
		.audit_tau = 0.02,
		.kappa = POLICY_AUTO,
		.cap = 12,
		.cant_tell = 3,
		.min_answers = 3,
		.auto_label = true,
		.auto_blank = true,
		.common_gold = 10,
		.audit_rate = 0.02,
		.audits = 64,
		.expert_share = 0.1,
		.drift_delta = 0.01,
		.drift_rate = 0.2,
		.auto_weight = 0.2,
		.plant_first = 0.2,
		.plant_rate = 0.04,
		.plant_blank = 0.2,
		.plant_rare = 0.4,
		.blank_share = 0.2,
		.confirm_above = 0.8,
		.confirm_ends = true,
		.confirm_blind = 0.25,
		.confirm_wrong = 0.3,
		.reveal = false,
		.reveal_others = false,
		.lease_s = 900,
		.refit_hour = 2,
	};
}

static enum status put_cost(const json_t *one, struct policy_cost *out, struct err *err)
{
	const char *truth = json_string_value(json_array_get(one, 0));
	const char *decided = json_string_value(json_array_get(one, 1));
	const json_t *cost = json_array_get(one, 2);
	double number = json_number_value(cost);
	if (json_array_size(one) != 3 || !truth || !decided || !json_is_number(cost) ||
		!(number >= 0 && number <= 100) || strlen(truth) >= POLICY_COST_NAME ||
		strlen(decided) >= POLICY_COST_NAME)
		return err_set(err, BAD_INPUT,
			"policy: each of costs must be [truth, decided, cost from 0 to 100], such as "
			"[\"kind:animal\", \"blank\", 5]");
	if (strcmp(truth, decided) == 0 && strncmp(truth, "kind:", 5) != 0)
		return err_set(
			err, BAD_INPUT, "policy: costs give one to '%.60s' where it is right", truth);
	snprintf(out->truth, sizeof out->truth, "%s", truth);
	snprintf(out->decided, sizeof out->decided, "%s", decided);
	out->cost = number;
	return OK;
}

static enum status put_costs(const json_t *list, struct policy *p, struct err *err)
{
	size_t n = json_array_size(list);
	enum status st = OK;
	if (!json_is_array(list) || n > POLICY_MAX_COSTS)
		return err_set(err, BAD_INPUT,
			"policy: costs must be a list of at most %d entries [truth, decided, cost]",
			POLICY_MAX_COSTS);
	p->n_costs = (int)n;
	for (size_t i = 0; st == OK && i < n; i++)
		st = put_cost(json_array_get(list, i), &p->costs[i], err);
	return st;
}

static json_t *show_costs(const struct policy *p)
{
	json_t *list = json_array();
	for (int i = 0; i < p->n_costs; i++)
		json_array_append_new(
			list, json_pack("[s, s, f]", p->costs[i].truth, p->costs[i].decided, p->costs[i].cost));
	return list;
}

static enum status put_field(
	const struct field *f, const json_t *value, struct policy *p, struct err *err)
{
	void *at = (char *)p + f->offset;
	double number = json_number_value(value);
	switch (f->kind) {
	case YES_NO:
		if (!json_is_boolean(value))
			return err_set(err, BAD_INPUT, "policy: %s must be true or false", f->name);
		*(bool *)at = json_is_true(value);
		return OK;
	case WHOLE:
		if (!json_is_integer(value) || number < f->low || number > f->high)
			return err_set(err, BAD_INPUT, "policy: %s must be a whole number from %g to %g",
				f->name, f->low, f->high);
		*(int *)at = (int)number;
		return OK;
	case REAL_OR_AUTO:
		if (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0) {
			*(double *)at = POLICY_AUTO;
			return OK;
		}
		if (!json_is_number(value) || !isfinite(number) || number < f->low || number > f->high)
			return err_set(err, BAD_INPUT, "policy: %s must be a number from %g to %g, or \"auto\"",
				f->name, f->low, f->high);
		*(double *)at = number;
		return OK;
	case REAL:
		if (!json_is_number(value) || !isfinite(number) || number < f->low || number > f->high)
			return err_set(err, BAD_INPUT, "policy: %s must be a number from %g to %g", f->name,
				f->low, f->high);
		*(double *)at = number;
		return OK;
	case COSTS:
		return put_costs(value, p, err);
	}
	return OK;
}

static const struct field *find(const char *name)
{
	for (int i = 0; i < N_FIELDS; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

enum status policy_parse(
	const json_t *object, struct policy base, struct policy *out, struct err *err)
{
	const char *name;
	json_t *value;
	if (!json_is_object(object))
		return err_set(err, BAD_INPUT, "policy: an object is wanted, such as {\"tau\": 0.01}");
	json_object_foreach((json_t *)object, name, value)
	{
		const struct field *f = find(name);
		if (!f)
			return err_set(err, BAD_INPUT, "policy: there is no field '%.40s'", name);
		enum status st = put_field(f, value, &base, err);
		if (st != OK)
			return st;
	}
	*out = base;
	return OK;
}

json_t *policy_json(const struct policy *p)
{
	json_t *object = json_object();
	for (int i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[i];
		const void *at = (const char *)p + f->offset;
		json_t *value = NULL;
		switch (f->kind) {
		case YES_NO:
			value = json_boolean(*(const bool *)at);
			break;
		case WHOLE:
			value = json_integer(*(const int *)at);
			break;
		case REAL_OR_AUTO:
			value = *(const double *)at == POLICY_AUTO ? json_string("auto")
													   : json_real(*(const double *)at);
			break;
		case REAL:
			value = json_real(*(const double *)at);
			break;
		case COSTS:
			value = show_costs(p);
			break;
		}
		json_object_set_new(object, f->name, value);
	}
	return object;
}

enum status policy_get(struct db *db, int64_t project_id, struct policy *out, struct err *err)
{
	struct stmt *row = NULL;
	struct policy p = policy_default();
	enum status st = db_one(db, Q_POLICY_GET, &row, err, "i", project_id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "project %lld has no policy", (long long)project_id);
	if (st != OK)
		return st;
	json_error_t at;
	json_t *object = json_loads(col_text(row, 2), 0, &at);
	int64_t id = col_int(row, 0);
	int version = (int)col_int(row, 1);
	db_done(row);
	if (!object)
		return err_set(err, FAULT, "policy %lld is no JSON: %.100s", (long long)id, at.text);
	st = policy_parse(object, p, out, err);
	json_decref(object);
	out->id = id;
	out->version = version;
	return st;
}

enum status policy_put(
	struct db *db, int64_t project_id, struct policy *p, int64_t now_ms, struct err *err)
{
	enum status st = cost_check(db, project_id, p, err);
	if (st != OK)
		return st;
	json_t *object = policy_json(p);
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(object);
	if (!text)
		return err_set(err, FAULT, "out of memory");
	struct stmt *row = NULL;
	st = db_one(db, Q_POLICY_ADD, &row, err, "isi", project_id, text, now_ms);
	free(text);
	if (st != OK)
		return st == NOT_FOUND ? err_set(err, FAULT, "the policy was not stored") : st;
	p->id = col_int(row, 0);
	p->version = (int)col_int(row, 1);
	while ((st = db_step(row, err)) == OK)
		;
	if (st != NOT_FOUND)
		return st;
	return db_run(db, Q_PROJECT_SET_POLICY, err, "ii", project_id, p->id);
}
