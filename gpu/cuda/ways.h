/*
 * Two ways to y = act(conv(x) + add + bias) beside cuDNN's graphs (plan.h), for halves: cuDNN's call
 * for just that, and, where the kernel is 1x1 with stride 1, one matrix product of cuBLASLt over all
 * pixels. device_conv.c times them against each other.
 */
#pragma once

#include "device_cuda.h"
#include "plan.h"

struct fixed_conv;   /* cuDNN's fused call */
struct product_conv; /* cuBLASLt's products */

/* NULL when cuDNN does not take the shape. */
struct fixed_conv *fixed_conv_new(struct device *d, const struct plan_shape *shape);
void fixed_conv_free(struct fixed_conv *f); /* NULL is fine */
int fixed_conv_run(
	struct device *d, struct fixed_conv *f, const struct device_conv *c); /* 0: failed */

/* NULL when the shape is no matrix product. */
struct product_conv *product_conv_new(struct device *d, const struct plan_shape *shape);
void product_conv_free(struct product_conv *p); /* NULL is fine */
int product_conv_count(const struct product_conv *p);
int product_conv_run(
	struct device *d, struct product_conv *p, int i, const struct device_conv *c); /* 0: failed */
