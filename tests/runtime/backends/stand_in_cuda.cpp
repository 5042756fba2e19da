// Stands in for libcuda.so.1 where memory, streams and graphs are concerned. Device memory is the host's. Nothing on
// a stream happens before the stream is waited for, as on a busy device: what reads too early reads stale bytes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <vector>

namespace {

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kNoDevice = 100, kInvalidContext = 201, kCaptureUnsupported = 900;

using Work = std::vector<std::function<void()>>;
struct Stream {
  Work work;
  Work* capture = nullptr;
  void put(std::function<void()> task) { (capture ? *capture : work).push_back(std::move(task)); }
};

int devices = 1, depth = 0, retained = 0, replays = 0;
int capability[2] = {8, 9};
std::size_t limit = 1u << 30;
std::set<void*> live;  // buffers, streams and graphs that nobody has freed yet

template <typename T>
T* kept(T* thing) {
  live.insert(thing);
  return thing;
}
template <typename T>
int freed(T* thing) {
  if (live.erase(thing) == 0) return kInvalidValue;
  delete thing;
  return 0;
}

}  // namespace

extern "C" {

// For the tests.
void fake_reset(int count, int major, int minor, std::size_t most) {
  devices = count, capability[0] = major, capability[1] = minor, limit = most;
  depth = retained = replays = 0;
  live.clear();
}
int fake_live() { return static_cast<int>(live.size()) + retained + depth; }
int fake_replays() { return replays; }
void fake_enqueue(void* stream, void (*task)()) { static_cast<Stream*>(stream)->put(task); }

// The driver's.
int cuInit(unsigned) { return 0; }
int cuGetErrorName(int code, const char** name) {
  *name = code == kOutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : code == kNoDevice ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR";
  return 0;
}
int cuDeviceGetCount(int* count) { return *count = devices, 0; }
int cuDeviceGet(int* device, int number) { return *device = number, number < devices ? 0 : kNoDevice; }
int cuDeviceGetName(char* name, int size, int) { return std::strncpy(name, "Stand-in 4000", size), 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
  if (attribute != 75 && attribute != 76) return kInvalidValue;
  return *value = capability[attribute - 75], 0;
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &retained, ++retained, 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return --retained, 0; }
int cuCtxPushCurrent_v2(void* context) { return context == &retained ? (++depth, 0) : kInvalidContext; }
int cuCtxPopCurrent_v2(void**) { return depth > 0 ? (--depth, 0) : kInvalidContext; }
int cuMemAlloc_v2(void** address, std::size_t size) {
  if (depth == 0) return kInvalidContext;
  if (size > limit) return kOutOfMemory;
  *address = std::malloc(size);
  std::memset(*address, 0xA5, size);
  live.insert(*address);
  return 0;
}
int cuMemFree_v2(void* address) { return live.erase(address) ? (std::free(address), 0) : kInvalidValue; }
int cuMemHostAlloc(void** address, std::size_t size, unsigned) { return cuMemAlloc_v2(address, size); }
int cuMemFreeHost(void* address) { return cuMemFree_v2(address); }
int cuStreamCreate(void** stream, unsigned) {
  return depth == 0 ? kInvalidContext : (*stream = kept(new Stream), 0);
}
int cuStreamDestroy_v2(void* stream) { return freed(static_cast<Stream*>(stream)); }
int cuStreamSynchronize(void* raw) {
  Stream* stream = static_cast<Stream*>(raw);
  if (stream->capture) return kCaptureUnsupported;
  for (const auto& task : stream->work) task();
  stream->work.clear();
  return 0;
}
int cuMemcpyHtoDAsync_v2(void* target, void* source, std::size_t size, void* stream) {
  static_cast<Stream*>(stream)->put([=] { std::memcpy(target, source, size); });
  return 0;
}
int cuMemcpyDtoHAsync_v2(void* target, void* source, std::size_t size, void* stream) {
  return cuMemcpyHtoDAsync_v2(target, source, size, stream);
}
int cuStreamBeginCapture_v2(void* stream, int) {
  return static_cast<Stream*>(stream)->capture = kept(new Work), 0;
}
int cuStreamEndCapture(void* raw, void** graph) {
  Stream* stream = static_cast<Stream*>(raw);
  *graph = stream->capture;
  stream->capture = nullptr;
  return *graph ? 0 : kInvalidValue;
}
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return *executable = kept(new Work(*static_cast<Work*>(graph))), 0;
}
int cuGraphDestroy(void* graph) { return freed(static_cast<Work*>(graph)); }
int cuGraphExecDestroy(void* executable) { return freed(static_cast<Work*>(executable)); }
int cuGraphLaunch(void* executable, void* stream) {
  for (const auto& task : *static_cast<Work*>(executable)) static_cast<Stream*>(stream)->put(task);
  return ++replays, 0;
}
}
