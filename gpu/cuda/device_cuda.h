/* Inside the card: shared by device_cuda.c (the card, memory, own kernels, matrix products) and
 * device_cudnn.c (layers). */
#pragma once

#include "device.h"

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

struct device {
	int number;
	cudaStream_t stream;
	cudnnHandle_t cudnn;
	cublasHandle_t cublas;
	void *workspace; /* shared by the layers: they run one after another */
	size_t workspace_bytes;
	int failed; /* failure holds the first one's words */
	struct err failure;
};

/* Each records a failure, if it is one and the first; `what` says what was tried. */
void device_tried(struct device *d, cudaError_t error, const char *what);
void device_tried_cudnn(struct device *d, cudnnStatus_t status, const char *what);

/* The workspace grows to that size. */
void device_need_workspace(struct device *d, size_t n_bytes);
