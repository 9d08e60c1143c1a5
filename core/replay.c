/* One pass over the subjects; each is judged from one row that brings all it should follow from. */
#include "replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Columns of replay_subjects, in its order. */
enum {
	ID,
	STATE,
	LABEL,
	BY,
	REASON,
	P_LABEL,
	N_ANSWERS,
	N_CANT_TELL,
	HEARD,
	HAS_EVENT,
	EVENT_LABEL,
	EVENT_BY,
	EVENT_P,
	EVENT_CERTIFICATE,
	CERTIFICATE,
	COUNTED,
	COUNTED_CANT_TELL,
	VERDICT,
	TRUTH,
	FROM_FILE,
	CERTIFICATE_STATE,
	P_TOP_MIN,
	TOP,
	P_TOP,
	SAME_MODEL,
	POLICY,
	RULES,
	EVENT_N_ANSWERS,
	EVENT_RISK
};

/* The rules of the policy that the last subject was decided by: runs of subjects share one. */
struct rules {
	int64_t id;
	struct policy policy;
};

static bool is(const struct stmt *row, int column, const char *text)
{
	return strcmp(col_text(row, column), text) == 0;
}

static const char *people_differ(const struct stmt *row, const struct policy *p)
{
	bool audit = is(row, REASON, "audit");
	int64_t n_min = audit ? 2 : col_int(row, HEARD) ? 1 : p->min_answers;
	double tau = audit ? p->audit_tau : p->tau;
	if (!audit && !is(row, REASON, "risk"))
		return "people decided it for a reason that is none of theirs";
	if (col_int(row, N_ANSWERS) < n_min)
		return "people decided it with fewer answers than its policy asks for";
	if (col_real(row, EVENT_RISK) > tau + 1e-9)
		return "people decided it at a higher risk than its policy allows";
	return NULL;
}

static const char *model_differs(const struct stmt *row, bool sweeping)
{
	if (is(row, CERTIFICATE_STATE, "revoked"))
		return sweeping ? NULL : "its label stands on a certificate that was revoked";
	if (col_int(row, CERTIFICATE) == 0 || is(row, CERTIFICATE_STATE, "probation"))
		return "the model's label stands on no certificate that was active";
	if (!col_int(row, SAME_MODEL) || col_int(row, TOP) != col_int(row, LABEL))
		return "its label is not what the certificate's model says";
	/* p_top_min is 1 in certificates that were issued before it was kept. */
	if (col_real(row, P_TOP_MIN) < 1 && col_real(row, P_TOP) < col_real(row, P_TOP_MIN))
		return "the model's label lies below its certificate's threshold";
	return NULL;
}

static const char *expert_differs(const struct stmt *row)
{
	int64_t want = col_int(row, FROM_FILE) ? col_int(row, TRUTH) : col_int(row, VERDICT);
	if (want == 0)
		want = col_int(row, TRUTH); /* a truth of the manifest */
	return want == col_int(row, LABEL) ? NULL : "its label is not the expert's last verdict";
}

/* Once it is decided an account's claim of older answers may take one away; the count of then stays. */
static bool counts_differ(const struct stmt *row)
{
	int64_t n = col_int(row, N_ANSWERS), n_cant_tell = col_int(row, N_CANT_TELL);
	if (is(row, STATE, "open"))
		return n != col_int(row, COUNTED) || n_cant_tell != col_int(row, COUNTED_CANT_TELL);
	return n < col_int(row, COUNTED) || n_cant_tell < col_int(row, COUNTED_CANT_TELL) ||
		(is(row, STATE, "retired") && n != col_int(row, EVENT_N_ANSWERS));
}

/* What differs, NULL: nothing. */
static const char *differs(const struct stmt *row, const struct policy *policy, bool sweeping)
{
	if (counts_differ(row))
		return "its counts are not those of its answers";
	if (col_int(row, LABEL) == 0)
		return col_int(row, EVENT_LABEL) ? "it has no label, and its last event gave one" : NULL;
	if (!col_int(row, HAS_EVENT))
		return "it has a label and no event that gave it";
	if (col_int(row, EVENT_LABEL) != col_int(row, LABEL) ||
		strcmp(col_text(row, EVENT_BY), col_text(row, BY)) != 0 ||
		fabs(col_real(row, EVENT_P) - col_real(row, P_LABEL)) > 1e-9 ||
		col_int(row, EVENT_CERTIFICATE) != col_int(row, CERTIFICATE))
		return "its label is not what its last event says";
	if (is(row, BY, "people"))
		return people_differ(row, policy);
	return is(row, BY, "model") ? model_differs(row, sweeping) : expert_differs(row);
}

static enum status read_rules(const struct stmt *row, struct rules *rules, struct err *err)
{
	if (col_int(row, POLICY) == 0 || rules->id == col_int(row, POLICY))
		return OK;
	rules->id = col_int(row, POLICY);
	json_t *object = json_loads(col_text(row, RULES), 0, NULL);
	enum status st = object ? policy_parse(object, policy_default(), &rules->policy, err)
							: err_set(err, FAULT, "policy %lld is no JSON", (long long)rules->id);
	json_decref(object);
	return st;
}

static enum status is_sweeping(struct db *db, int64_t project_id, bool *out, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_TASK_SWEEPING, &row, err, "i", project_id);
	*out = st == OK;
	db_done(st == OK ? row : NULL);
	return st == NOT_FOUND ? OK : st;
}

enum status replay_check(
	struct db *db, const struct project *p, struct replay *out, struct err *err)
{
	struct rules rules = {.policy = p->policy};
	bool sweeping = false;
	*out = (struct replay){0};
	enum status st = is_sweeping(db, p->id, &sweeping, err);
	if (st != OK)
		return st;
	struct stmt *row = db_query(db, Q_REPLAY_SUBJECTS, "i", p->id);
	while ((st = db_step(row, err)) == OK) {
		st = read_rules(row, &rules, err);
		if (st != OK)
			break;
		const char *what = differs(row, &rules.policy, sweeping);
		out->n_subjects++;
		out->n_by_people += is(row, BY, "people");
		out->n_by_model += is(row, BY, "model");
		out->n_by_expert += is(row, BY, "expert");
		out->n_differ += what != NULL;
		if (what && out->n_told < REPLAY_MAX_TOLD)
			snprintf(out->told[out->n_told++], sizeof out->told[0], "subject %lld: %s",
				(long long)col_int(row, ID), what);
	}
	db_done(st == NOT_FOUND ? NULL : row);
	return st == NOT_FOUND ? OK : st;
}
