/*
 * What the server does by itself, about once a second and in pieces so small that no answer waits for them: deciding
 * subjects again that a calibration, a certificate or its end has marked, forgetting leases that died long ago, and, at the
 * hour that a project's policy names, the refit of its skills (core/project_refit.h).
 */
#pragma once

#include "writer.h"

struct upkeep;

/* Owns: borrows writer and dir until upkeep_stop; the caller owns *out. Errors: FAULT. */
enum status upkeep_start(
	struct writer *writer, const char *dir, struct upkeep **out, struct err *err) MUST_CHECK;
void upkeep_stop(struct upkeep *upkeep); /* NULL is fine */
