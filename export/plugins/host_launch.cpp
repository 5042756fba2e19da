// The kernels on the host: the same source, one block after the other. For tests and comparisons.
#include <cstddef>
#include <cstring>
using std::size_t;

#include "roi_align_mean.cu"

namespace {

using Kernel = void (*)(const void*, const float*, void*, int, int, int, int, int, int);

struct Entry {
  const char* name;
  Kernel run;
};

template <typename T, void (*kernel)(const T*, const float*, T*, int, int, int, int, int, int)>
void erased(const void* features, const float* boxes, void* out, int regions, int channels, int stride,
            int height, int width, int lane_bits) {
  kernel(static_cast<const T*>(features), boxes, static_cast<T*>(out), regions, channels, stride, height,
         width, lane_bits);
}

constexpr Entry kEntries[] = {
    {"roi_mean_nhwc_f32", erased<float, roi_mean_nhwc_f32>},
    {"roi_mean_nhwc_f32x4", erased<float, roi_mean_nhwc_f32x4>},
    {"roi_mean_nhwc_f16", erased<Half, roi_mean_nhwc_f16>},
    {"roi_mean_nhwc_f16x8", erased<Half, roi_mean_nhwc_f16x8>},
    {"roi_mean_nchw_f32", erased<float, roi_mean_nchw_f32>},
    {"roi_mean_nchw_f16", erased<Half, roi_mean_nchw_f16>},
};

}  // namespace

// Run every block of a grid. Returns 0, or 1 where the name is unknown or the block is not the kernels' own.
extern "C" int roi_mean_on_host(const char* name, int grid_x, int grid_y, int threads, const void* features,
                                const float* boxes, void* out, int regions, int channels, int stride,
                                int height, int width, int lane_bits) {
  if (threads != kThreads) return 1;
  for (const Entry& entry : kEntries) {
    if (std::strcmp(entry.name, name) != 0) continue;
    for (int y = 0; y < grid_y; ++y) {
      for (int x = 0; x < grid_x; ++x) {
        blockIdx = {x, y};
        entry.run(features, boxes, out, regions, channels, stride, height, width, lane_bits);
      }
    }
    return 0;
  }
  return 1;
}
