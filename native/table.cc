// The table of one instruction set's kernels.
#include "activations.h"
#include "passes.h"

#define UNSPOOL_TEXT(x) #x
#define UNSPOOL_NAME(x) UNSPOOL_TEXT(x)

namespace unspool::UNSPOOL_ISA {

namespace {

template <Vec (*kFunction)(Vec)>
void map(const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int lanes = count - i < kLanes ? static_cast<int>(count - i) : kLanes;
    store(y + i, kFunction(load(x + i, lanes)), lanes);
  }
}

}  // namespace

#define UNSPOOL_ENTRY(name, Arguments) name,
extern const Kernels kTable;
const Kernels kTable = {UNSPOOL_NAME(UNSPOOL_ISA), UNSPOOL_KERNELS(UNSPOOL_ENTRY) map<tanh>,
                        map<sigmoid>};

}  // namespace unspool::UNSPOOL_ISA
