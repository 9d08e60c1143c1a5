/*
 * Targets of several tasks in a row (net_set_heads): each head's sum to 1, or are all 0 where
 * nothing is known of it, and then it has no loss.
 */
#pragma once

#include "train.h"

/*
 * The heads that a spec asks for: its own, or the one of its classes. Returns how many.
 * Shapes: out [NET_MAX_HEADS].
 */
int train_heads(const struct train_spec *spec, struct model_head *out);

/*
 * Errors: BAD_INPUT that names the item, for a target below 0, a head that sums to something else
 * than 1 or 0, or nothing known of any. Shapes: target [sum of n_classes].
 */
enum status train_target_check(const struct model_head *heads, int n_heads, const float *target,
	int item, struct err *err) MUST_CHECK;

/* Whether anything is known of a head. Shapes: target [n], the head's. */
bool train_target_is_known(const float *target, int n);

/* Label smoothing in every head of which something is known. Shapes: target, out [net->n_classes]. */
void train_target_smooth(const struct net *net, const float *target, double share, float *out);

/*
 * Sets the model's prior to the class shares of n items, in each head; half an item is added to each
 * class, so that none is 0. Shapes: which [n], indices of items.
 */
void train_target_prior(
	struct model *model, const struct train_item *items, const int *which, int n);
