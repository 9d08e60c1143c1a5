/* A refit's effect, by having it: on a copy, so that the preview cannot differ from what it is a preview of. */
#include "project_refit.h"

#include <stdlib.h>

/* Counts by label before and after: n [(k + 1)^2], 0 is no label. */
static void count_changes(const struct project *p, const struct fates *before,
	const struct fates *after, int64_t *n, struct refit_preview *out)
{
	const size_t side = (size_t)p->k + 1;
	for (size_t i = 0; i < before->n; i++) {
		const struct fate *was = &before->list[i], *is = &after->list[i];
		const size_t from = was->label_id ? (size_t)project_class(p, was->label_id) + 1 : 0;
		const size_t to = is->label_id ? (size_t)project_class(p, is->label_id) + 1 : 0;
		out->n[was->outcome][is->outcome]++;
		if (from != to && n[from * side + to]++ == 0)
			out->n_changes++;
	}
	out->changes = xcalloc(out->n_changes + 1, sizeof *out->changes);
	size_t next = 0;
	for (size_t from = 0; from < side; from++)
		for (size_t to = 0; to < side; to++)
			if (n[from * side + to])
				out->changes[next++] = (struct refit_change){from ? p->taxa[from - 1].id : 0,
					to ? p->taxa[to - 1].id : 0, n[from * side + to]};
}

enum status project_refit_preview(struct db *copy, int64_t project_id,
	const struct refit_hands *hands, struct refit_preview *out, struct err *err)
{
	struct project p = {0};
	struct fates before = {0}, after = {0};
	bool resumed = true;
	*out = (struct refit_preview){0};
	enum status st = project_load(copy, project_id, &p, err);
	for (int i = 0; st == OK && i < 2 && resumed; i++) {
		fates_release(&before);
		st = fates_read(copy, project_id, &before, err);
		if (st == OK)
			st = project_refit(copy, project_id, hands, &resumed, &out->record, err);
	}
	if (st == OK)
		st = fates_read(copy, project_id, &after, err);
	const size_t side = (size_t)p.k + 1;
	int64_t *n = st == OK ? calloc(side * side, sizeof *n) : NULL;
	if (n)
		count_changes(&p, &before, &after, n, out);
	else if (st == OK)
		st = err_set(err, FAULT, "no memory for the changes among %d taxa", p.k);
	free(n);
	fates_release(&before);
	fates_release(&after);
	project_release(&p);
	return st;
}

void refit_preview_release(struct refit_preview *preview)
{
	free(preview->changes);
	*preview = (struct refit_preview){0};
}
