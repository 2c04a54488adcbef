// Plain C entry points, for tests that bring their own buffers. They return 0, or 1 when memory ran out.
#include <exception>

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
#define UNSPOOL_PASS(name, Arguments)                                              \
  UNSPOOL_API int unspool_##name(const unspool::Arguments* arguments, int threads) { \
    return call(unspool::kernels().name, arguments, threads);                      \
  }

UNSPOOL_PASS(rnn_forward, RnnForward)
UNSPOOL_PASS(rnn_backward, RnnBackward)
UNSPOOL_PASS(lstm_forward, LstmForward)
UNSPOOL_PASS(lstm_backward, LstmBackward)
UNSPOOL_PASS(gru_forward, GruForward)
UNSPOOL_PASS(gru_backward, GruBackward)
UNSPOOL_PASS(weight_gradient, WeightGradient)
UNSPOOL_PASS(table_rows, TableRows)
UNSPOOL_PASS(table_gradient, TableGradient)
UNSPOOL_PASS(sample, Sample)

UNSPOOL_API void unspool_tanh(const float* x, float* y, int64_t count) { unspool::kernels().tanh(x, y, count); }

UNSPOOL_API void unspool_sigmoid(const float* x, float* y, int64_t count) { unspool::kernels().sigmoid(x, y, count); }

UNSPOOL_API int unspool_force_isa(const char* name) { return unspool::force_isa(name); }

UNSPOOL_API const char* unspool_isa() { return unspool::kernels().isa; }
