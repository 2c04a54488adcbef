// Plain C entry points: every kernel, for tests that bring their own buffers (they return 0, or 1
// when memory ran out), and what Python asks the library.
#include <exception>
#include <string>

#include "kernels.h"

namespace {

template <class Kernel, class Arguments>
int call(Kernel kernel, const Arguments* arguments, int threads) {
  try {
    kernel(*arguments, threads);
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}

}  // namespace

#define UNSPOOL_API extern "C" __attribute__((visibility("default")))
#define UNSPOOL_ENTRY(name, Arguments)                                               \
  UNSPOOL_API int unspool_##name(const unspool::Arguments* arguments, int threads) { \
    return call(unspool::kernels().name, arguments, threads);                        \
  }
UNSPOOL_KERNELS(UNSPOOL_ENTRY)

UNSPOOL_API void unspool_tanh(const float* x, float* y, int64_t count) {
  unspool::kernels().tanh(x, y, count);
}

UNSPOOL_API void unspool_sigmoid(const float* x, float* y, int64_t count) {
  unspool::kernels().sigmoid(x, y, count);
}

UNSPOOL_API int unspool_force_isa(const char* name) { return unspool::force_isa(name); }

// Those that `unspool_force_isa` takes, a blank between them.
UNSPOOL_API const char* unspool_isas() {
  static const std::string names = [] {
    std::string joined;
    for (const unspool::Kernels* kernels : unspool::all_kernels()) {
      joined += std::string(kernels->isa) + " ";
    }
    return joined;
  }();
  return names.c_str();
}

UNSPOOL_API const char* unspool_isa() { return unspool::kernels().isa; }

UNSPOOL_API int unspool_panel_units(int gates) { return unspool::panel_units(gates); }
