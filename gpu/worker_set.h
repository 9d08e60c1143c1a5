/* The data set of a training, as a worker reads it (docs/api.md, ITEM). */
#pragma once

#include "train.h"
#include "worker_beat.h"
#include "worker_job.h"

struct worker_set {
	char dir[WORKER_PATH -
		100]; /* this job's files: the set, fetched renditions, the models; removed at the end */
	const char **names;
	int n_classes, n_features;
	struct train_item *items;
	int n_items, n_room;
	int n_absent;          /* frames that are to be fetched */
	int64_t *deployments;  /* [n_items] */
	json_t *header, *eval; /* eval: ITEMs of split eval */
};

/*
 * Reads JSON lines into items, fetching the frames that are not seen from here.
 * Owns:   set is the caller's to worker_set_release, which removes its folder, also after a failure.
 * Errors: BAD_INPUT, FAULT for a set that is broken; BUSY for one that came in part; CONFLICT when nobody wants it.
 */
enum status worker_set_read(struct worker *w, struct worker_set *set, const char *path,
	const struct beat *beat, struct err *err) MUST_CHECK;
void worker_set_release(struct worker_set *set);

/*
 * Keeps out of the training what its patience looks at: whole deployments, by a hash of their ids, until they hold a
 * tenth of the items. With fewer than two deployments, or where that would leave less than half, none.
 */
void worker_set_keep_out(struct worker_set *set);
