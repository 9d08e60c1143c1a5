/*
 * A project of coloured frames in a data directory under /tmp, and commands run on it as processes of their own. Grey is
 * blank, red a zebra, blue a topi: subject i is of class i % 3. The last two subjects have no frame that can be decoded, of
 * subject FRAMES_CUT the second is cut short.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { FRAMES_SUBJECTS = 180, FRAMES_BROKEN = 2, FRAMES_CUT = 7, FRAMES_EACH = 2, FRAMES_PX = 64 };

struct frames {
	char dir[64];
	int64_t project,
		model; /* project "p"; model "start": an untrained resnet10s of FRAMES_PX px, promoted */
};

/* Three deployments (the third holds no more than the others, and none is marked as held out). Leases run out after
 * lease_ms. The folder DIR/cache is what commands cache in. Stops the test on failure. */
void frames_open(struct frames *f, int lease_ms);
void frames_close(struct frames *f);

/* An expert has labelled every subject with what it is. */
void frames_label(const struct frames *f);

/* SQL that a test states itself; one number of its first row, or -1 where there is none. Text that begins with ATTACH
 * goes on with a statement that sees embeddings.db as emb. */
int64_t frames_sql(const struct frames *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Starts topi with args (NULL at the end); its stdout goes to DIR/out. */
pid_t frames_start(const struct frames *f, const char *const *args);
/* Its exit code, or -1 when a signal ended it. */
int frames_wait(pid_t pid);
/* Runs it and reads what it prints as JSON; stops the test where either fails. Owns: a new reference. */
json_t *frames_json(const struct frames *f, const char *const *args);
