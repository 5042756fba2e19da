// Stands in for libcuda.so.1: the calls that CudaDriver makes, checked as a driver would check them.
// A launch runs the kernels' own source on the processor, with the grid and the arguments it was given.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "host_launch.cpp"

namespace {

constexpr int kInvalidValue = 1, kNoContext = 201, kNoBinary = 209, kNotFound = 500;

struct Launched {
  std::string kernel;
  unsigned grid[3];
  unsigned block[3];
  std::uintptr_t stream;
};

int capability[2] = {8, 7};
std::vector<std::string> loaded;
std::vector<Launched> launches;

}  // namespace

extern "C" {

// For the tests. The context is that of every thread, 0 for none.
std::size_t fake_context = 1;
void fake_reset(int major, int minor, std::uintptr_t current) {
  capability[0] = major;
  capability[1] = minor;
  fake_context = current;
  loaded.clear();
  launches.clear();
}
int fake_loads() { return static_cast<int>(loaded.size()); }
const char* fake_loaded(int i) { return loaded[i].c_str(); }
int fake_launches() { return static_cast<int>(launches.size()); }
const char* fake_kernel(int i) { return launches[i].kernel.c_str(); }
unsigned fake_grid(int i, int axis) { return launches[i].grid[axis]; }
std::uintptr_t fake_stream(int i) { return launches[i].stream; }

// The driver's.
int cuInit(unsigned) { return 0; }
int cuGetErrorName(int code, const char** name) {
  *name = code == kNoBinary ? "CUDA_ERROR_NO_BINARY_FOR_GPU" : "CUDA_ERROR_OTHER";
  return 0;
}
int cuCtxGetCurrent(void** current) {
  *current = reinterpret_cast<void*>(fake_context);
  return 0;
}
int cuCtxGetId(void* current, unsigned long long* number) {
  *number = 1000 + reinterpret_cast<std::uintptr_t>(current);
  return 0;
}
int cuCtxGetDevice(int* device) {
  *device = 0;
  return fake_context == 0 ? kNoContext : 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  if (attribute != 75 && attribute != 76) return kInvalidValue;
  *value = capability[attribute - 75];
  return 0;
}
int cuModuleLoadData(void** module, const void* image) {
  const char* text = static_cast<const char*>(image);
  if (std::strncmp(text, "damaged", 7) == 0) return kNoBinary;
  loaded.emplace_back(text);
  *module = reinterpret_cast<void*>(loaded.size());
  return 0;
}
int cuModuleGetFunction(void** function, void*, const char* name) {
  for (const Entry& entry : kEntries) {
    if (std::strcmp(entry.name, name) == 0) {
      *function = const_cast<Entry*>(&entry);
      return 0;
    }
  }
  return kNotFound;
}
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void* stream, void** arguments, void** extra) {
  if (gx == 0 || gy == 0 || gy > 65535 || gz != 1 || by != 1 || bz != 1 || shared != 0 || extra != nullptr) {
    return kInvalidValue;
  }
  const Entry* entry = static_cast<const Entry*>(function);
  launches.push_back({entry->name, {gx, gy, gz}, {bx, by, bz}, reinterpret_cast<std::uintptr_t>(stream)});
  const auto pointer = [&](int i) { return *static_cast<void**>(arguments[i]); };
  const auto size = [&](int i) { return *static_cast<int*>(arguments[i]); };
  return roi_mean_on_host(entry->name, gx, gy, bx, pointer(0), static_cast<const float*>(pointer(1)), pointer(2),
                          size(3), size(4), size(5), size(6), size(7), size(8));
}
}
