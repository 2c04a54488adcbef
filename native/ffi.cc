// The kernels as XLA custom calls. XLA has checked ranks and types when a handler runs; the shapes
// that the pointers are read with are checked here against one another.
#include "ffi.h"

#include <cstddef>
#include <type_traits>
#include <utility>

namespace {

using unspool::kernels;

using Array1 = ffi::Buffer<ffi::F32, 1>;
using Array2 = ffi::Buffer<ffi::F32, 2>;
using Array3 = ffi::Buffer<ffi::F32, 3>;
using Lengths = ffi::Buffer<ffi::S32, 1>;
using Result2 = ffi::Result<Array2>;
using Result3 = ffi::Result<Array3>;

template <class Array>
const Array& array_of(const Array& array) {
  return array;
}

template <class Array>
Array array_of(ffi::Result<Array> result) {
  return *result;
}

// What stands for an argument in the structure of a kernel's arguments: for an array its numbers.
template <class Argument>
auto field(const Argument& argument) {
  if constexpr (std::is_same_v<Argument, std::nullptr_t> || std::is_arithmetic_v<Argument> ||
                std::is_pointer_v<Argument>) {
    return argument;
  } else {
    return array_of(argument).typed_data();
  }
}

// A call of a kernel on sequences: collects whether every array has the shape that it needs.
class Call {
 public:
  explicit Call(unspool::Sizes sizes) : n_(sizes) {}

  // The sizes of weights (directions * gates * H, H), a state (B, directions * H) and a sequence
  // (T, B, ...).
  Call(const Array3& sequence, const Array2& state, const Array2& w_hh) {
    const int64_t hidden = w_hh.dimensions()[1];
    n_ = {sequence.dimensions()[0], state.dimensions()[0], hidden,
          state.dimensions()[1] == 2 * hidden ? 2 : 1};
  }

  template <class... Arrays>
  Call& sequences(int64_t gates, const Arrays&... arrays) {
    return expect(
        (has_shape(arrays, n_.steps, n_.batch, n_.directions * gates * n_.hidden) && ...));
  }

  template <class... Arrays>
  Call& states(const Arrays&... arrays) {
    return expect((has_shape(arrays, n_.batch, n_.directions * n_.hidden) && ...));
  }

  Call& weights(int64_t gates, const Array2& array) {
    return expect(has_shape(array, n_.directions * gates * n_.hidden, n_.hidden));
  }

  Call& units(const Array1& array) { return expect(has_shape(array, n_.directions * n_.hidden)); }
  Call& rows(const Lengths& array) { return expect(has_shape(array, n_.batch)); }

  Call& expect(bool right) {
    fit_ = fit_ && right;
    return *this;
  }

  // The kernel's arguments are the sizes and these, in the order of its structure.
  template <class Arguments, class... Fields>
  ffi::Error run(void (*kernel)(const Arguments&, int), int64_t threads,
                 const Fields&... fields) const {
    return unspool::run_if(fit_, kernel, Arguments{n_, field(fields)...}, threads);
  }

 private:
  template <class Array, class... Sizes>
  static bool has_shape(const Array& array, Sizes... sizes) {
    size_t axis = 0;
    const auto found = array_of(array).dimensions();
    return ((found[axis++] == sizes) && ...);
  }

  unspool::Sizes n_;
  bool fit_ = true;
};

ffi::Error RnnForward(Array3 projected, Array2 w_hh, Array2 h0, Lengths lengths, Result3 hs,
                      Result2 h_last, int64_t threads) {
  return Call(projected, h0, w_hh)
      .sequences(1, projected, hs)
      .states(h0, h_last)
      .weights(1, w_hh)
      .rows(lengths)
      .run(kernels().rnn_forward, threads, projected, w_hh, h0, lengths, hs, h_last);
}

ffi::Error RnnBackward(Array3 hs, Array2 w_hh, Lengths lengths, Array3 d_hs, Array2 d_h_last,
                       Result3 d_projected, Result2 d_h0, int64_t threads) {
  return Call(hs, d_h_last, w_hh)
      .sequences(1, hs, d_hs, d_projected)
      .states(d_h_last, d_h0)
      .weights(1, w_hh)
      .rows(lengths)
      .run(kernels().rnn_backward, threads, hs, w_hh, lengths, d_hs, d_h_last, d_projected, d_h0);
}

ffi::Error LstmForward(Array3 projected, Array2 w_hh, Array2 h0, Array2 c0, Lengths lengths,
                       Result3 hs, Result3 cs, Result3 gates, Result2 h_last, Result2 c_last,
                       int64_t threads) {
  return Call(projected, h0, w_hh)
      .sequences(4, projected, gates)
      .sequences(1, hs, cs)
      .states(h0, c0, h_last, c_last)
      .weights(4, w_hh)
      .rows(lengths)
      .run(kernels().lstm_forward, threads, projected, w_hh, h0, c0, lengths, hs, cs, gates, h_last,
           c_last);
}

ffi::Error LstmInference(Array3 projected, Array2 w_hh, Array2 h0, Array2 c0, Lengths lengths,
                         Result3 hs, Result2 h_last, Result2 c_last, int64_t threads) {
  return Call(projected, h0, w_hh)
      .sequences(4, projected)
      .sequences(1, hs)
      .states(h0, c0, h_last, c_last)
      .weights(4, w_hh)
      .rows(lengths)
      .run(kernels().lstm_forward, threads, projected, w_hh, h0, c0, lengths, hs, nullptr, nullptr,
           h_last, c_last);
}

ffi::Error LstmBackward(Array3 gates, Array3 cs, Array2 c0, Array2 w_hh, Lengths lengths,
                        Array3 d_hs, Array2 d_h_last, Array2 d_c_last, Result3 d_projected,
                        Result2 d_h0, Result2 d_c0, int64_t threads) {
  return Call(gates, c0, w_hh)
      .sequences(4, gates, d_projected)
      .sequences(1, cs, d_hs)
      .states(c0, d_h_last, d_c_last, d_h0, d_c0)
      .weights(4, w_hh)
      .rows(lengths)
      .run(kernels().lstm_backward, threads, gates, cs, c0, w_hh, lengths, d_hs, d_h_last, d_c_last,
           d_projected, d_h0, d_c0);
}

ffi::Error GruForward(Array3 projected, Array2 w_hh, Array1 b_hn, Array2 h0, Lengths lengths,
                      Result3 hs, Result3 gates, Result3 hn, Result2 h_last, int64_t threads) {
  return Call(projected, h0, w_hh)
      .sequences(3, projected, gates)
      .sequences(1, hs, hn)
      .states(h0, h_last)
      .weights(3, w_hh)
      .units(b_hn)
      .rows(lengths)
      .run(kernels().gru_forward, threads, projected, w_hh, b_hn, h0, lengths, hs, gates, hn,
           h_last);
}

ffi::Error GruInference(Array3 projected, Array2 w_hh, Array1 b_hn, Array2 h0, Lengths lengths,
                        Result3 hs, Result2 h_last, int64_t threads) {
  return Call(projected, h0, w_hh)
      .sequences(3, projected)
      .sequences(1, hs)
      .states(h0, h_last)
      .weights(3, w_hh)
      .units(b_hn)
      .rows(lengths)
      .run(kernels().gru_forward, threads, projected, w_hh, b_hn, h0, lengths, hs, nullptr, nullptr,
           h_last);
}

ffi::Error GruBackward(Array3 gates, Array3 hn, Array3 hs, Array2 h0, Array2 w_hh, Lengths lengths,
                       Array3 d_hs, Array2 d_h_last, Result3 d_projected, Result3 d_recurrent,
                       Result2 d_b_hn, Result2 d_h0, int64_t threads) {
  return Call(gates, h0, w_hh)
      .sequences(3, gates, d_projected, d_recurrent)
      .sequences(1, hn, hs, d_hs)
      .states(h0, d_h_last, d_b_hn, d_h0)
      .weights(3, w_hh)
      .rows(lengths)
      .run(kernels().gru_backward, threads, gates, hn, hs, h0, w_hh, lengths, d_hs, d_h_last,
           d_projected, d_recurrent, d_b_hn, d_h0);
}

// The last result is the first argument again, in the same place: what is computed from it waits
// for the gradient, so that XLA does not run another program on the same cores meanwhile.
ffi::Error WeightGradient(Array3 d, Array3 hs, Array2 h0, Lengths lengths, Result2 d_weights,
                          Result3, int64_t threads) {
  const int64_t outputs = d.dimensions()[2];
  return Call(d, h0, *d_weights)
      .sequences(1, hs)
      .states(h0)
      .rows(lengths)
      .expect(d.dimensions()[1] == h0.dimensions()[0])
      .expect(d_weights->dimensions()[0] == outputs)
      .run(kernels().weight_gradient, threads, outputs, d, hs, h0, lengths, d_weights, nullptr);
}

// Of y = x W^T + b for N rows: row k of x is the state before row k of d. The last result as above.
ffi::Error AffineGradient(Array2 d, Array2 x, Result2 d_weights, ffi::Result<Array1> d_bias,
                          Result2, int64_t threads) {
  const int64_t rows = x.dimensions()[0], inputs = x.dimensions()[1], outputs = d.dimensions()[1];
  return Call({rows, 1, inputs})
      .expect(d.dimensions()[0] == rows && d_bias->dimensions()[0] == outputs)
      .expect(d_weights->dimensions()[0] == outputs && d_weights->dimensions()[1] == inputs)
      .run(kernels().weight_gradient, threads, outputs, d, x.typed_data() + inputs, x, nullptr,
           d_weights, d_bias);
}

// Ids of any shape: reshaped afterwards, the rows would be copied.
ffi::Error TableRows(Array2 table, ffi::Buffer<ffi::S32> ids,
                     ffi::Result<ffi::Buffer<ffi::F32>> out, int64_t threads) {
  const int64_t rows = ids.element_count();
  const int64_t entries = table.dimensions()[0], columns = table.dimensions()[1];
  const bool fit = static_cast<int64_t>(out->element_count()) == rows * columns;
  return unspool::run_if(
      fit, kernels().table_rows,
      {rows, entries, columns, ids.typed_data(), table.typed_data(), out->typed_data()}, threads);
}

ffi::Error TableGradient(Lengths ids, Array2 d, Result2 d_table, int64_t threads) {
  const int64_t rows = d.dimensions()[0], columns = d.dimensions()[1];
  const int64_t entries = d_table->dimensions()[0];
  const bool fit = ids.dimensions()[0] == rows && d_table->dimensions()[1] == columns;
  return unspool::run_if(
      fit, kernels().table_gradient,
      {rows, entries, columns, ids.typed_data(), d.typed_data(), d_table->typed_data()}, threads);
}

// The binding of a handler, read off its parameters: arrays are arguments, Results results, the one
// integer the attribute "threads".
template <class Parameter>
struct Binder {
  template <class Binding>
  static auto add(Binding&& binding) {
    return std::move(binding).template Arg<Parameter>();
  }
};

template <class Array>
struct Binder<ffi::Result<Array>> {
  template <class Binding>
  static auto add(Binding&& binding) {
    return std::move(binding).template Ret<Array>();
  }
};

template <>
struct Binder<int64_t> {
  template <class Binding>
  static auto add(Binding&& binding) {
    return std::move(binding).template Attr<int64_t>("threads");
  }
};

template <class First, class... Rest, class Binding, class Function>
auto bind_parameters(Binding&& binding, Function function) {
  if constexpr (sizeof...(Rest) == 0) {
    return Binder<First>::add(std::move(binding)).To(function);
  } else {
    return bind_parameters<Rest...>(Binder<First>::add(std::move(binding)), function);
  }
}

template <class... Parameters>
auto make_handler(ffi::Error (*function)(Parameters...)) {
  return bind_parameters<Parameters...>(ffi::Ffi::Bind(), function);
}

}  // namespace

UNSPOOL_HANDLER(rnn_forward, make_handler(RnnForward))
UNSPOOL_HANDLER(rnn_backward, make_handler(RnnBackward))
UNSPOOL_HANDLER(lstm_forward, make_handler(LstmForward))
UNSPOOL_HANDLER(lstm_inference, make_handler(LstmInference))
UNSPOOL_HANDLER(lstm_backward, make_handler(LstmBackward))
UNSPOOL_HANDLER(gru_forward, make_handler(GruForward))
UNSPOOL_HANDLER(gru_inference, make_handler(GruInference))
UNSPOOL_HANDLER(gru_backward, make_handler(GruBackward))
UNSPOOL_HANDLER(weight_gradient, make_handler(WeightGradient))
UNSPOOL_HANDLER(affine_gradient, make_handler(AffineGradient))
UNSPOOL_HANDLER(table_rows, make_handler(TableRows))
UNSPOOL_HANDLER(table_gradient, make_handler(TableGradient))

// What Python registers, a blank after each.
extern "C" __attribute__((visibility("default"))) const char* unspool_handlers() {
  return unspool::handlers().c_str();
}
