/*
 * Convolutions as cuDNN graphs: a convolution with what follows it as a small graph of operations,
 * for which cuDNN lists engines, the one that it expects to be fastest first. Everything is
 * [n][h][w][c]; weights are [c_out][kernel][kernel][c_in].
 *
 * The same code runs against a card that is only described (plan_describe), so that a test without
 * one sees that cuDNN has engines for each kind of graph and shape.
 */
#pragma once

#include <cudnn.h>
#include <stddef.h>

#define PLAN_MOST 12 /* plans in a list */

enum plan_kind {
	PLAN_FORWARD, /* y = conv(x) */
	PLAN_FUSED,   /* y = act(conv(x) + add + bias), act a relu or nothing, add there or not */
	PLAN_DATA,    /* the slope by x from the slope by y */
	PLAN_WEIGHTS  /* the slope by the weights from x and the slope by y */
};

struct plan_shape {
	enum plan_kind kind;
	int n, c_in, h_in, w_in, c_out, h_out, w_out;
	int kernel, stride, pad;
	int relu, adds; /* PLAN_FUSED */
	cudnnDataType_t type;
	int is_exact; /* no engine that rounds its inputs (TF32) */
	int repeats;  /* no engine whose result may change from run to run */
};

struct plan_list; /* owns cuDNN's descriptors */

/* What each kind reads and writes; the others are NULL. */
struct plan_data {
	const void *x, *weights, *bias, *add;
	void *y;
	const void *y_slope;
	void *x_slope, *weights_slope;
};

/* A card in words (cuDNN's JSON), or NULL. Owns: the caller's, to cudnnBackendDestroyDescriptor. */
cudnnBackendDescriptor_t plan_describe(const char *json);

/*
 * The engines for a shape, on the handle's card or, with handle NULL, on the described one. For a
 * card a plan is made when it is first asked for: some are compiled then, which takes a while.
 * NULL: cuDNN refuses the graph; cudnnGetLastErrorString says why.
 */
struct plan_list *plan_list_new(
	cudnnHandle_t handle, cudnnBackendDescriptor_t described, const struct plan_shape *shape);
void plan_list_free(struct plan_list *list); /* NULL is fine */

int plan_count(const struct plan_list *list);
int plan_is_compiled_late(const struct plan_list *list, int i); /* by the driver, at run time */
/* Makes it. Returns 0 when it cannot be, or wants more than `most` bytes of workspace. */
int plan_ready(struct plan_list *list, int i, size_t most);
size_t plan_workspace(const struct plan_list *list, int i); /* after plan_ready */
/* Queues a ready plan on the handle's stream. */
cudnnStatus_t plan_run(
	struct plan_list *list, int i, const struct plan_data *data, void *workspace);
