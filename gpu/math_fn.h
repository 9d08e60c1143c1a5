/* A function of a *_math.h: compiled by the C compiler for the processor and by nvcc for the card. */
#pragma once

#ifdef __CUDACC__
#define MATH_FN static __host__ __device__ inline
#else
#define MATH_FN static inline
#endif
