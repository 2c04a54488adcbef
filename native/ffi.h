// What the XLA custom calls share: running a kernel, and the handlers that Python registers.
#pragma once

#include <exception>
#include <string>

#include "kernels.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace unspool {

// Runs a kernel if the shapes that it reads its pointers with fit together.
template <class Arguments>
ffi::Error run_if(bool shapes_fit, void (*kernel)(const Arguments&, int),
                  const Arguments& arguments, int64_t threads) {
  if (!shapes_fit) {
    return ffi::Error::InvalidArgument("unspool: array shapes do not belong together");
  }
  try {
    kernel(arguments, static_cast<int>(threads));
  } catch (const std::exception& error) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
  }
  return ffi::Error::Success();
}

// The handlers' names, a blank after each.
inline std::string& handlers() {
  static std::string names;
  return names;
}

inline bool list_handler(const char* name) {
  handlers() += std::string(name) + " ";
  return true;
}

}  // namespace unspool

// Lists the handler `name`, exported as unspool_ffi_<name>: a binding of ffi::Ffi to a function.
#define UNSPOOL_HANDLER(name, ...)                                                     \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* unspool_ffi_##name( \
      XLA_FFI_CallFrame* frame) {                                                      \
    static const auto handler = __VA_ARGS__;                                           \
    return handler->Call(frame);                                                       \
  }                                                                                    \
  [[maybe_unused]] static const bool name##_is_listed = unspool::list_handler(#name);
