/* The data set of a training, as a worker reads it (docs/api.md, ITEM). */
#pragma once

#include "train.h"
#include "worker_beat.h"
#include "worker_job.h"

struct worker_set {
	char dir[WORKER_PATH -
		100]; /* this job's files: the set, fetched renditions, the models; removed at the end */
	const char **names;                     /* of the species, and after these of the other heads */
	struct model_head heads[NET_MAX_HEADS]; /* species first */
	int n_heads, n_classes, n_features;     /* n_classes: of all heads */
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
/*
 * Adds what an item of the set (also of split eval) says of a head to target, which is all 0 before; it stays so where nothing is
 * known of a head but the first. Shapes: target [heads[head].n_classes]. Errors: BAD_INPUT for a class that is not there or a sum that is not 1.
 */
enum status worker_set_target(const struct worker_set *set, const json_t *item, int head,
	float *target, struct err *err) MUST_CHECK;
void worker_set_release(struct worker_set *set);

/*
 * Keeps out of the training what its patience looks at: whole deployments, by a hash of their ids, until they hold a
 * tenth of the items. With fewer than two deployments, or where that would leave less than half, none.
 */
void worker_set_keep_out(struct worker_set *set);
