/* Every card of the machine as one backend: `--device cuda:all`. */
#pragma once

#include "backend.h"

/*
 * Opens the net on each of cuda's cards. Pictures to infer are spread over them; a training step
 * gives each an equal part of the batch as one of several ranks (backend.h: the gradient is the mean
 * over the ranks, batch norm looks at its own part).
 * Errors: BAD_INPUT when there is no card, or the training batch cannot be parted equally;
 * NOT_FOUND when several are to train and NCCL is not there; others as open.
 */
enum status backend_cards_open(const struct backend *cuda, const struct backend_config *config,
	const struct backend **out, void **handle, struct err *err) MUST_CHECK;
