/* What the files project_refit*.c share: a project's answers in memory, and what was made of them. */
#pragma once

#include "project_refit.h"

#include "label.h"
#include "prediction_short.h"
#include "refit.h"

/* The ids of a project's rows as numbers from 0: a bit an id, and how many are set before each word. */
struct id_set {
	uint64_t *bits;
	uint32_t *before, *ids; /* ids: in order */
	size_t n_words, n;
};

enum { ID_NONE = -1 };

/* The id's number, or ID_NONE. */
int64_t id_number(const struct id_set *set, int64_t id);

/* What a subject was before the refit. */
struct refit_subject {
	float risk;
	int16_t label;     /* class, or -1 */
	uint8_t state : 2; /* enum subject_state */
	bool by_people : 1, blind : 1;
};

/* An answer to certification gold that was planted. */
struct refit_planted {
	int64_t subject_id, volunteer_id;
	int class;
};

/* A stored prediction of certification gold is evidence; n_sources counts it and the planted answers. */
struct refit_gold {
	int64_t subject_id, drawn_ms; /* what was drawn at one moment is one draw */
	double p_draw;
	int truth, n_sources;
	double *evidence; /* [k] nats */
};

struct project_refit {
	struct project project;
	int64_t last_id; /* answers up to this one are read */
	struct id_set subjects, volunteers;
	struct refit_subject *was; /* [subjects.n] */
	uint32_t *late;            /* [n_late] ids of subjects with answers that were not counted */
	size_t n_late, late_room;
	struct answers answers;
	struct refit_cards cards; /* start NULL: none */
	int16_t *gold;            /* [subjects.n] */
	double *labelled;         /* [k] */
	struct refit_prior prior; /* start NULL: no predictions */
	double *m, *lambda;       /* the start; NULL: none */
	struct refit_cell *cells;
	size_t n_cells;
	struct refit_planted *planted; /* [n_planted] by subject */
	size_t n_planted, planted_room;
	struct refit_gold *certify; /* [n_certify] in an order of chance */
	size_t n_certify;
	struct refit *refit;
	struct refit_record record;
	struct correlation correlation; /* decisions are made by */
};

/* Everything that the project's tables say, in one read transaction. Owns: project_refit_release, also after a failure. */
enum status project_refit_read(struct db *db, int64_t project_id, const struct refit_hands *hands,
	struct project_refit *out, struct err *err) MUST_CHECK;
void project_refit_release(struct project_refit *r);

/* Certification gold with its predictions (in the read transaction), and what it says of kappa (after the fit). */
enum status project_refit_read_gold(
	struct db *db, struct project_refit *r, struct err *err) MUST_CHECK;
enum status project_refit_fit_kappa(struct project_refit *r, struct err *err) MUST_CHECK;

/* Writes the fitted skills beside those in force, and puts them in force. *refit_id is the new refit's. */
enum status project_refit_store(const struct project_refit *r, const struct refit_hands *hands,
	int64_t *refit_id, struct err *err) MUST_CHECK;
/* Decides again what waits for that; the refit has learnt from the answers up to last_id. */
enum status project_refit_apply(int64_t project_id, int64_t refit_id, int64_t last_id,
	const struct refit_hands *hands, struct err *err) MUST_CHECK;
/* Takes away all sets of skills that are not in force, and a refit that never came to be (or 0). */
enum status project_refit_clean(int64_t project_id, int64_t dead_id,
	const struct refit_hands *hands, struct err *err) MUST_CHECK;
