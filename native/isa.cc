// Which instruction set the kernels run with. CMakeLists.txt defines UNSPOOL_HAS_<name> for those
// that were compiled.
#include <atomic>
#include <cstring>

#include "kernels.h"

namespace unspool {

namespace plain {
extern const Kernels kTable;
}
#ifdef UNSPOOL_HAS_avx2
namespace avx2 {
extern const Kernels kTable;
}
#endif
#ifdef UNSPOOL_HAS_avx512
namespace avx512 {
extern const Kernels kTable;
}
#endif
#ifdef UNSPOOL_HAS_neon
namespace neon {
extern const Kernels kTable;
}
#endif

namespace {

// GCC and Clang's check of the processor includes the operating system's support for its registers.
std::vector<const Kernels*> find_all() {
  std::vector<const Kernels*> found{&plain::kTable};
#ifdef UNSPOOL_HAS_neon
  found.push_back(&neon::kTable);
#endif
#ifdef UNSPOOL_HAS_avx2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    found.push_back(&avx2::kTable);
  }
#endif
#ifdef UNSPOOL_HAS_avx512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    found.push_back(&avx512::kTable);
  }
#endif
  return found;
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> kernels{all_kernels().back()};
  return kernels;
}

}  // namespace

const std::vector<const Kernels*>& all_kernels() {
  static const std::vector<const Kernels*> all = find_all();
  return all;
}

const Kernels& kernels() { return *chosen().load(); }

bool force_isa(const char* name) {
  if (*name == '\0') {
    chosen().store(all_kernels().back());
    return true;
  }
  for (const Kernels* kernels : all_kernels()) {
    if (std::strcmp(name, kernels->isa) != 0) continue;
    chosen().store(kernels);
    return true;
  }
  return false;
}

}  // namespace unspool
