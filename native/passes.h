// The kernels of one instruction set, gathered by table.cc.
#pragma once

#include "kernels.h"

namespace unspool::UNSPOOL_ISA {

#define UNSPOOL_PROTOTYPE(name, Arguments) void name(const Arguments& io, int threads);
UNSPOOL_KERNELS(UNSPOOL_PROTOTYPE)
#undef UNSPOOL_PROTOTYPE

}  // namespace unspool::UNSPOOL_ISA
