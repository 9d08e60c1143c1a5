/* Keeps one lease alive from a thread of its own while the engine works, and hears whether the work is still wanted. */
#pragma once

#include "worker.h"

#include <stdint.h>

struct beat;

struct beat_progress {
	int epoch, n_epochs;
	double loss, accuracy, images_per_s;
};

/* Owns: the caller ends *out with beat_stop. batch_id 0: a training. */
enum status beat_start(const struct worker_options *options, int64_t job_id, int64_t batch_id,
	double lease_s, struct beat **out, struct err *err) MUST_CHECK;
/* Stops the thread; whatever it was asking is finished first. NULL is fine. */
void beat_stop(struct beat *beat);

/* What the next heartbeat tells. */
void beat_tell(struct beat *beat, const struct beat_progress *progress);
/* True: the job was cancelled, or the lease is another's now. */
bool beat_unwanted(const struct beat *beat);
