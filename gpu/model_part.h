/* What the files of model.h share. */
#pragma once

#include "model.h"

/* A model with everything but its parameters' values. Errors: as model_new_heads. */
enum status model_empty(const struct net_arch *arch, const struct model_head *heads, int n_heads,
	int input_px, struct model **out, struct err *err) MUST_CHECK;
