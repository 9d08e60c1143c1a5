/* Inside the card: shared by device_*.c and kernels*.cu. */
#pragma once

#include "device.h"

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DEVICE_LANES 2
#define DEVICE_PARTIAL_BYTES ((size_t)8 << 20) /* of the kernels' own sums */

struct device_known; /* layers' ways that have been tried: device_conv.c */
struct device_ranks; /* device_ranks.c */

struct device {
	int number;
	cudaStream_t stream; /* the queue */
	cudaStream_t copies; /* the lanes' */
	cudaEvent_t copied[DEVICE_LANES], done[DEVICE_LANES];
	cudnnHandle_t cudnn;
	cublasHandle_t cublas;
	cublasLtHandle_t cublas_lt;
	void *product_workspace;
	size_t product_bytes;
	void *workspace; /* of one size for good: recorded graphs have its address */
	size_t workspace_bytes;
	void *partials; /* DEVICE_PARTIAL_BYTES, between a kernel and the next */
	struct device_known *known;
	struct device_ranks *ranks;
	int is_recording; /* nothing runs: whether an engine takes a layer cannot be seen */
	int failed;       /* failure holds the first one's words */
	struct err failure;
};

/* Each records a failure, if it is one and the first; `what` says what was tried. */
void device_tried(struct device *d, cudaError_t error, const char *what);
void device_tried_cudnn(struct device *d, cudnnStatus_t status, const char *what);

void device_known_free(struct device *d);
void device_ranks_leave(struct device *d);

#ifdef __cplusplus
}
#endif
