// What lets one source be a CUDA kernel (nvcc) and a plain function on the host (any C++17 compiler).
//
// A kernel is written as phases. Inside ROI_EACH_THREAD a phase is one thread's work; between two phases
// stands ROI_BARRIER, and what crosses it lives in ROI_SHARED. On the GPU the threads of a block run a phase
// side by side; on the host a loop runs them one after the other, which computes the same.
#pragma once

#if defined(__CUDACC__)

#include <cuda_fp16.h>

#define ROI_DEVICE __device__ __forceinline__
#define ROI_SHARED __shared__
#define ROI_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define ROI_EACH_THREAD(thread, threads) \
  for (int thread = threadIdx.x, once = 1; once != 0; once = 0)
#define ROI_BARRIER() __syncthreads()
#define ROI_UNROLL _Pragma("unroll 4")

using Half = __half;

ROI_DEVICE float widen(float value) { return value; }
ROI_DEVICE float widen(Half value) { return __half2float(value); }
ROI_DEVICE void narrow(float value, float* out) { *out = value; }
ROI_DEVICE void narrow(float value, Half* out) { *out = __float2half_rn(value); }

#else

#include <cmath>

#define ROI_DEVICE static inline
#define ROI_SHARED static thread_local
#define ROI_KERNEL(threads) extern "C" void
#define ROI_EACH_THREAD(thread, threads) for (int thread = 0; thread < (threads); ++thread)
#define ROI_BARRIER() \
  do {                \
  } while (false)
#define ROI_UNROLL

#if defined(__aarch64__)
using Half = __fp16;
#else
using Half = _Float16;
#endif

struct BlockIndex {
  int x;
  int y;
};
// The block that the calling thread is computing, set by the loop in host_launch.cpp.
static thread_local BlockIndex blockIdx;

ROI_DEVICE float widen(float value) { return value; }
ROI_DEVICE float widen(Half value) { return static_cast<float>(value); }
ROI_DEVICE void narrow(float value, float* out) { *out = value; }
ROI_DEVICE void narrow(float value, Half* out) { *out = static_cast<Half>(value); }

#endif
