// RoI-align and the mean over its 7 x 7 cells, fused: features [B,C,h,w] and boxes [B,R,4] to [B,R,C].
//
// Definition: ONNX RoiAlign, half_pixel, sampling_ratio 2, average, then the mean over the cells; boxes are
// fractions of the map. Bilinear sampling is separable, so the mean of the 14 x 14 samples is
//     out[b,r,c] = sum_y sum_x wy[y] wx[x] F[b,c,y,x],
// where wy and wx average the bilinear weights ("taps") of 14 positions on an axis: at most 28 are not zero.
// Each tapped cell is read once per box, where sampling reads four cells for each of 196 samples.
//
// One block serves one box and one tile of channels. No atomics, no workspace, no allocation, no
// synchronisation with the host: a launch can be captured in a CUDA graph. Sums are float32 throughout, in
// an order that does not vary. A sample with a coordinate that is not a number counts as outside the map.
#include "portable.cuh"

namespace {

constexpr int kThreads = 128;
constexpr int kSteps = 14;                  // 7 cells of 2 samples on each axis
constexpr int kTaps = 2 * kSteps;           // each sample touches two cells
constexpr int kCells = kTaps * kTaps;
constexpr int kColumnThread = 32;           // rows are tabulated by warp 0, columns by warp 1
constexpr int kPlanarChannels = 8;          // channels a thread of the NCHW kernel sums at once

struct Taps {
  int count;
  int index[kTaps];
  float weight[kTaps];
};

struct Cell {
  int position;  // y * width + x
  float weight;
};

struct Box {
  Taps rows;
  Taps columns;
  Cell cells[kCells];
  int count;
};

template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T lane[kWidth];
};

// Find the `wanted`-th cell that the samples between two edges touch, and its weight. Positions ascend, so
// counting the cells as they first appear numbers them in order, and every thread can find its own alone.
ROI_DEVICE void tabulate(float low, float high, int length, int wanted, Taps* taps) {
  if (high < low) {  // swapped edges give the same samples in reverse
    const float other = low;
    low = high;
    high = other;
  }
  const float start = low - 0.5f;
  const float extent = high - low;
  const float end = static_cast<float>(length - 1);
  int found = 0;
  int last = -1;
  int index = -1;
  float weight = 0.0f;
  for (int step = 0; step < kSteps; ++step) {
    const float position = start + extent * ((static_cast<float>(step) + 0.5f) / kSteps);
    if (!(position >= -1.0f && position <= static_cast<float>(length))) continue;
    const float inside = fminf(fmaxf(position, 0.0f), end);
    const int lower = static_cast<int>(inside);
    const float fraction = inside - static_cast<float>(lower);
    if (lower > last) {
      if (found++ == wanted) index = lower;
      last = lower;
    }
    if (fraction > 0.0f && lower + 1 > last) {
      if (found++ == wanted) index = lower + 1;
      last = lower + 1;
    }
    if (index == lower) weight += 1.0f - fraction;
    if (index == lower + 1) weight += fraction;
  }
  if (wanted == 0) taps->count = found;
  if (wanted < found) {
    taps->index[wanted] = index;
    taps->weight[wanted] = weight / kSteps;
  }
}

ROI_DEVICE void tabulate_axes(int thread, const float* edges, int height, int width, Box* box) {
  if (thread < kTaps) {
    const float size = static_cast<float>(height);
    tabulate(edges[1] * size, edges[3] * size, height, thread, &box->rows);
  } else if (thread >= kColumnThread && thread < kColumnThread + kTaps) {
    const float size = static_cast<float>(width);
    tabulate(edges[0] * size, edges[2] * size, width, thread - kColumnThread, &box->columns);
  }
}

ROI_DEVICE void list_cells(int thread, int width, Box* box) {
  const int across = box->columns.count;
  const int count = box->rows.count * across;
  if (thread == 0) box->count = count;
  for (int i = thread; i < count; i += kThreads) {
    const int row = i / across;
    const int column = i - row * across;
    box->cells[i].position = box->rows.index[row] * width + box->columns.index[column];
    box->cells[i].weight = box->rows.weight[row] * box->columns.weight[column];
  }
}

// Channels last. `lanes` threads side by side hold kWidth channels each, so a cell is read in whole cache
// lines; the 128 / lanes groups take turns with the cells and are summed at the end.
template <typename T, int kWidth>
ROI_DEVICE void pool_channels_last(const T* __restrict__ features, const float* __restrict__ boxes,
                                   T* __restrict__ out, int regions, int channels, int stride, int height,
                                   int width, int lane_bits) {
  ROI_SHARED Box box;
  ROI_SHARED float partial[kWidth * kThreads];
  const int lanes = 1 << lane_bits;
  const int groups = kThreads >> lane_bits;
  const size_t number = static_cast<size_t>(blockIdx.x);
  const T* map = features + (number / regions) * stride * (static_cast<size_t>(height) * width);
  const int tile = static_cast<int>(blockIdx.y) * lanes * kWidth;

  ROI_EACH_THREAD(thread, kThreads) { tabulate_axes(thread, boxes + number * 4, height, width, &box); }
  ROI_BARRIER();
  ROI_EACH_THREAD(thread, kThreads) { list_cells(thread, width, &box); }
  ROI_BARRIER();
  ROI_EACH_THREAD(thread, kThreads) {
    float sum[kWidth] = {};
    const int first = tile + (thread & (lanes - 1)) * kWidth;
    if (first < channels) {
      ROI_UNROLL
      for (int i = thread >> lane_bits; i < box.count; i += groups) {
        const Cell cell = box.cells[i];
        const Pack<T, kWidth> pack = *reinterpret_cast<const Pack<T, kWidth>*>(
            map + static_cast<size_t>(cell.position) * stride + first);
        for (int k = 0; k < kWidth; ++k) sum[k] += cell.weight * widen(pack.lane[k]);
      }
    }
    for (int k = 0; k < kWidth; ++k) partial[k * kThreads + thread] = sum[k];
  }
  ROI_BARRIER();
  ROI_EACH_THREAD(thread, kThreads) {
    for (int i = thread; i < lanes * kWidth; i += kThreads) {
      const int lane = i / kWidth;
      const int k = i - lane * kWidth;
      float sum = 0.0f;
      for (int group = 0; group < groups; ++group) {
        sum += partial[k * kThreads + group * lanes + lane];
      }
      if (tile + i < channels) narrow(sum, out + number * channels + tile + i);
    }
  }
}

// Channels first. `lanes` threads side by side take neighbouring cells of one channel; each of the
// 128 / lanes groups sums 8 channels with the weights it has read once.
template <typename T>
ROI_DEVICE void pool_channels_first(const T* __restrict__ features, const float* __restrict__ boxes,
                                    T* __restrict__ out, int regions, int channels, int height, int width,
                                    int lane_bits) {
  ROI_SHARED Box box;
  ROI_SHARED float partial[kPlanarChannels * kThreads];
  const int lanes = 1 << lane_bits;
  const int outputs = (kThreads >> lane_bits) * kPlanarChannels;
  const size_t number = static_cast<size_t>(blockIdx.x);
  const size_t plane = static_cast<size_t>(height) * width;
  const T* map = features + (number / regions) * channels * plane;
  const int tile = static_cast<int>(blockIdx.y) * outputs;

  ROI_EACH_THREAD(thread, kThreads) { tabulate_axes(thread, boxes + number * 4, height, width, &box); }
  ROI_BARRIER();
  ROI_EACH_THREAD(thread, kThreads) { list_cells(thread, width, &box); }
  ROI_BARRIER();
  ROI_EACH_THREAD(thread, kThreads) {
    float sum[kPlanarChannels] = {};
    const int first = tile + (thread >> lane_bits) * kPlanarChannels;
    if (first < channels) {
      for (int i = thread & (lanes - 1); i < box.count; i += lanes) {
        const Cell cell = box.cells[i];
        for (int k = 0; k < kPlanarChannels; ++k) {
          // The last group may reach past the last channel: it reads that one again, and drops it below.
          const int channel = first + k < channels ? first + k : channels - 1;
          sum[k] += cell.weight * widen(map[channel * plane + cell.position]);
        }
      }
    }
    for (int k = 0; k < kPlanarChannels; ++k) partial[k * kThreads + thread] = sum[k];
  }
  ROI_BARRIER();
  ROI_EACH_THREAD(thread, kThreads) {
    if (thread < outputs && tile + thread < channels) {
      const int group = thread / kPlanarChannels;
      const int k = thread - group * kPlanarChannels;
      float sum = 0.0f;
      for (int i = 0; i < lanes; ++i) {
        // Each thread starts at another lane, so that no two read the same bank of shared memory at once.
        const int lane = (i + thread) & (lanes - 1);
        sum += partial[k * kThreads + group * lanes + lane];
      }
      narrow(sum, out + number * channels + tile + thread);
    }
  }
}

}  // namespace

// Entry points. All take the same arguments; NCHW has no use for the stride between cells.
#define ROI_ARGUMENTS(T)                                                                              \
  const T *__restrict__ features, const float *__restrict__ boxes, T *__restrict__ out, int regions, \
      int channels, int stride, int height, int width, int lane_bits

#define ROI_CHANNELS_LAST(name, T, kWidth)                                                              \
  ROI_KERNEL(kThreads) name(ROI_ARGUMENTS(T)) {                                                         \
    pool_channels_last<T, kWidth>(features, boxes, out, regions, channels, stride, height, width, lane_bits); \
  }

#define ROI_CHANNELS_FIRST(name, T)                                                               \
  ROI_KERNEL(kThreads) name(ROI_ARGUMENTS(T)) {                                                   \
    (void)stride;                                                                                 \
    pool_channels_first<T>(features, boxes, out, regions, channels, height, width, lane_bits);    \
  }

ROI_CHANNELS_LAST(roi_mean_nhwc_f32, float, 1)
ROI_CHANNELS_LAST(roi_mean_nhwc_f32x4, float, 4)
ROI_CHANNELS_LAST(roi_mean_nhwc_f16, Half, 1)
ROI_CHANNELS_LAST(roi_mean_nhwc_f16x8, Half, 8)
ROI_CHANNELS_FIRST(roi_mean_nchw_f32, float)
ROI_CHANNELS_FIRST(roi_mean_nchw_f16, Half)
