/* Launchers of kernels.cu: each runs the function of element_math.h of its name for i in 0..n on a
 * stream. */
#pragma once

#include "element_math.h"

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

cudaError_t kernel_picture_half(
	cudaStream_t stream, size_t n, const uint8_t *rgb, struct picture_scale s, uint16_t *out);
cudaError_t kernel_picture_float(cudaStream_t stream, size_t n, const uint8_t *rgb, size_t plane,
	struct picture_scale s, float *out);
cudaError_t kernel_widen(cudaStream_t stream, size_t n, const uint16_t *half, float *out);
cudaError_t kernel_add_bias(
	cudaStream_t stream, size_t n, const float *bias, size_t k, float *rows);
cudaError_t kernel_add_relu(cudaStream_t stream, size_t n, const float *add, float *y);
cudaError_t kernel_relu(cudaStream_t stream, size_t n, float *y);
cudaError_t kernel_relu_backward(cudaStream_t stream, size_t n, const float *y, float *slope);
cudaError_t kernel_sgd(cudaStream_t stream, size_t n, const float *gradient, struct sgd s, float *v,
	float *param, float *average);

#ifdef __cplusplus
}
#endif
