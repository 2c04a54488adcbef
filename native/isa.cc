// Which instruction set the kernels run with. CMakeLists.txt defines UNSPOOL_HAS_<name> for those that were compiled.
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

struct Choice {
  const Kernels* kernels;
  bool supported;
};

// Best first. GCC and Clang's check of the processor includes the operating system's support for its registers.
const Kernels* find(const char* name) {
  const Choice choices[] = {
#ifdef UNSPOOL_HAS_avx512
      {&avx512::kTable, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")},
#endif
#ifdef UNSPOOL_HAS_avx2
      {&avx2::kTable, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
#ifdef UNSPOOL_HAS_neon
      {&neon::kTable, true},
#endif
      {&plain::kTable, true},
  };
  for (const Choice& choice : choices) {
    if (choice.supported && (*name == '\0' || std::strcmp(name, choice.kernels->isa) == 0)) return choice.kernels;
  }
  return nullptr;
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> kernels{find("")};
  return kernels;
}

}  // namespace

const Kernels& kernels() { return *chosen().load(); }

bool force_isa(const char* name) {
  const Kernels* found = find(name);
  if (found != nullptr) chosen().store(found);
  return found != nullptr;
}

}  // namespace unspool
