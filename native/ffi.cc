// The kernels as XLA custom calls. XLA has checked ranks and types when a handler runs; the shapes that the pointers
// are read with are checked here against one another.
#include <exception>
#include <utility>

#include "kernels.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Array1 = ffi::Buffer<ffi::F32, 1>;
using Array2 = ffi::Buffer<ffi::F32, 2>;
using Array3 = ffi::Buffer<ffi::F32, 3>;
using Lengths = ffi::Buffer<ffi::S32, 1>;
using Result2 = ffi::Result<Array2>;
using Result3 = ffi::Result<Array3>;

// From weights (directions * gates * H, H), the first state (B, directions * H) and a sequence (T, B, ...).
unspool::Sizes sizes(const Array3& sequence, const Array2& state, const Array2& w_hh) {
  const int64_t hidden = w_hh.dimensions()[1];
  return {sequence.dimensions()[0], state.dimensions()[0], hidden, state.dimensions()[1] == 2 * hidden ? 2 : 1};
}

// Collects whether every array has the shape the sizes call for.
class Shapes {
 public:
  explicit Shapes(unspool::Sizes sizes) : n_(sizes) {}

  Shapes& sequence(const Array3& a, int64_t gates = 1) {
    return expect(a.dimensions()[0] == n_.steps && a.dimensions()[1] == n_.batch &&
                  a.dimensions()[2] == n_.directions * gates * n_.hidden);
  }
  Shapes& state(const Array2& a) {
    return expect(a.dimensions()[0] == n_.batch && a.dimensions()[1] == n_.directions * n_.hidden);
  }
  Shapes& weights(const Array2& a, int64_t gates) {
    return expect(a.dimensions()[0] == n_.directions * gates * n_.hidden && a.dimensions()[1] == n_.hidden);
  }
  Shapes& units(const Array1& a) { return expect(a.dimensions()[0] == n_.directions * n_.hidden); }
  Shapes& rows(const Lengths& a) { return expect(a.dimensions()[0] == n_.batch); }

  Shapes& expect(bool right) {
    right_ = right_ && right;
    return *this;
  }

  // Runs the kernel if they all had.
  template <class Kernel, class Arguments>
  ffi::Error run(Kernel kernel, const Arguments& arguments, int64_t threads) const {
    if (!right_) return ffi::Error::InvalidArgument("unspool: array shapes do not belong together");
    try {
      kernel(arguments, static_cast<int>(threads));
    } catch (const std::exception& error) {
      return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
    }
    return ffi::Error::Success();
  }

 private:
  unspool::Sizes n_;
  bool right_ = true;
};

ffi::Error RnnForward(Array3 projected, Array2 w_hh, Array2 h0, Lengths lengths, Result3 hs, Result2 h_last,
                      int64_t threads) {
  const unspool::Sizes n = sizes(projected, h0, w_hh);
  return Shapes(n)
      .sequence(projected).weights(w_hh, 1).state(h0).rows(lengths).sequence(*hs).state(*h_last)
      .run(unspool::kernels().rnn_forward,
           unspool::RnnForward{n, projected.typed_data(), w_hh.typed_data(), h0.typed_data(), lengths.typed_data(),
                               hs->typed_data(), h_last->typed_data()},
           threads);
}

ffi::Error RnnBackward(Array3 hs, Array2 w_hh, Lengths lengths, Array3 d_hs, Array2 d_h_last, Result3 d_projected,
                       Result2 d_h0, int64_t threads) {
  const unspool::Sizes n = sizes(hs, d_h_last, w_hh);
  return Shapes(n)
      .sequence(hs).weights(w_hh, 1).rows(lengths).sequence(d_hs).state(d_h_last).sequence(*d_projected).state(*d_h0)
      .run(unspool::kernels().rnn_backward,
           unspool::RnnBackward{n, hs.typed_data(), w_hh.typed_data(), lengths.typed_data(), d_hs.typed_data(),
                                d_h_last.typed_data(), d_projected->typed_data(), d_h0->typed_data()},
           threads);
}

ffi::Error LstmForward(Array3 projected, Array2 w_hh, Array2 h0, Array2 c0, Lengths lengths, Result3 hs, Result3 cs,
                       Result3 gates, Result2 h_last, Result2 c_last, int64_t threads) {
  const unspool::Sizes n = sizes(projected, h0, w_hh);
  return Shapes(n)
      .sequence(projected, 4).weights(w_hh, 4).state(h0).state(c0).rows(lengths)
      .sequence(*hs).sequence(*cs).sequence(*gates, 4).state(*h_last).state(*c_last)
      .run(unspool::kernels().lstm_forward,
           unspool::LstmForward{n, projected.typed_data(), w_hh.typed_data(), h0.typed_data(), c0.typed_data(),
                                lengths.typed_data(), hs->typed_data(), cs->typed_data(), gates->typed_data(),
                                h_last->typed_data(), c_last->typed_data()},
           threads);
}

ffi::Error LstmInference(Array3 projected, Array2 w_hh, Array2 h0, Array2 c0, Lengths lengths, Result3 hs,
                         Result2 h_last, Result2 c_last, int64_t threads) {
  const unspool::Sizes n = sizes(projected, h0, w_hh);
  return Shapes(n)
      .sequence(projected, 4).weights(w_hh, 4).state(h0).state(c0).rows(lengths)
      .sequence(*hs).state(*h_last).state(*c_last)
      .run(unspool::kernels().lstm_forward,
           unspool::LstmForward{n, projected.typed_data(), w_hh.typed_data(), h0.typed_data(), c0.typed_data(),
                                lengths.typed_data(), hs->typed_data(), nullptr, nullptr, h_last->typed_data(),
                                c_last->typed_data()},
           threads);
}

ffi::Error LstmBackward(Array3 gates, Array3 cs, Array2 c0, Array2 w_hh, Lengths lengths, Array3 d_hs, Array2 d_h_last,
                        Array2 d_c_last, Result3 d_projected, Result2 d_h0, Result2 d_c0, int64_t threads) {
  const unspool::Sizes n = sizes(gates, c0, w_hh);
  return Shapes(n)
      .sequence(gates, 4).sequence(cs).state(c0).weights(w_hh, 4).rows(lengths).sequence(d_hs).state(d_h_last)
      .state(d_c_last).sequence(*d_projected, 4).state(*d_h0).state(*d_c0)
      .run(unspool::kernels().lstm_backward,
           unspool::LstmBackward{n, gates.typed_data(), cs.typed_data(), c0.typed_data(), w_hh.typed_data(),
                                 lengths.typed_data(), d_hs.typed_data(), d_h_last.typed_data(), d_c_last.typed_data(),
                                 d_projected->typed_data(), d_h0->typed_data(), d_c0->typed_data()},
           threads);
}

ffi::Error GruForward(Array3 projected, Array2 w_hh, Array1 b_hn, Array2 h0, Lengths lengths, Result3 hs, Result3 gates,
                      Result3 hn, Result2 h_last, int64_t threads) {
  const unspool::Sizes n = sizes(projected, h0, w_hh);
  return Shapes(n)
      .sequence(projected, 3).weights(w_hh, 3).units(b_hn).state(h0).rows(lengths)
      .sequence(*hs).sequence(*gates, 3).sequence(*hn).state(*h_last)
      .run(unspool::kernels().gru_forward,
           unspool::GruForward{n, projected.typed_data(), w_hh.typed_data(), b_hn.typed_data(), h0.typed_data(),
                               lengths.typed_data(), hs->typed_data(), gates->typed_data(), hn->typed_data(),
                               h_last->typed_data()},
           threads);
}

ffi::Error GruInference(Array3 projected, Array2 w_hh, Array1 b_hn, Array2 h0, Lengths lengths, Result3 hs,
                        Result2 h_last, int64_t threads) {
  const unspool::Sizes n = sizes(projected, h0, w_hh);
  return Shapes(n)
      .sequence(projected, 3).weights(w_hh, 3).units(b_hn).state(h0).rows(lengths).sequence(*hs).state(*h_last)
      .run(unspool::kernels().gru_forward,
           unspool::GruForward{n, projected.typed_data(), w_hh.typed_data(), b_hn.typed_data(), h0.typed_data(),
                               lengths.typed_data(), hs->typed_data(), nullptr, nullptr, h_last->typed_data()},
           threads);
}

ffi::Error GruBackward(Array3 gates, Array3 hn, Array3 hs, Array2 h0, Array2 w_hh, Lengths lengths, Array3 d_hs,
                       Array2 d_h_last, Result3 d_projected, Result3 d_recurrent, Result2 d_b_hn, Result2 d_h0,
                       int64_t threads) {
  const unspool::Sizes n = sizes(gates, h0, w_hh);
  return Shapes(n)
      .sequence(gates, 3).sequence(hn).sequence(hs).state(h0).weights(w_hh, 3).rows(lengths).sequence(d_hs)
      .state(d_h_last).sequence(*d_projected, 3).sequence(*d_recurrent, 3).state(*d_b_hn).state(*d_h0)
      .run(unspool::kernels().gru_backward,
           unspool::GruBackward{n, gates.typed_data(), hn.typed_data(), hs.typed_data(), h0.typed_data(),
                                w_hh.typed_data(), lengths.typed_data(), d_hs.typed_data(), d_h_last.typed_data(),
                                d_projected->typed_data(), d_recurrent->typed_data(), d_b_hn->typed_data(),
                                d_h0->typed_data()},
           threads);
}

// The last result is the first argument again, in the same place: what is computed from it waits for the gradient, so
// that XLA does not run another program on the same cores meanwhile.
ffi::Error WeightGradient(Array3 d, Array3 hs, Array2 h0, Lengths lengths, Result2 d_weights, Result3,
                          int64_t threads) {
  const unspool::Sizes n = sizes(d, h0, *d_weights);
  const int64_t outputs = d.dimensions()[2];
  return Shapes(n)
      .sequence(hs).state(h0).rows(lengths)
      .expect(d.dimensions()[1] == n.batch)
      .expect(d_weights->dimensions()[0] == outputs && d_weights->dimensions()[1] == n.hidden)
      .run(unspool::kernels().weight_gradient,
           unspool::WeightGradient{n, outputs, d.typed_data(), hs.typed_data(), h0.typed_data(),
                                   lengths.typed_data(), d_weights->typed_data(), nullptr},
           threads);
}

// Of y = x W^T + b for N rows: row k of x is the state before row k of d. The last result as above.
ffi::Error AffineGradient(Array2 d, Array2 x, Result2 d_weights, ffi::Result<Array1> d_bias, Result2,
                          int64_t threads) {
  const unspool::Sizes n{x.dimensions()[0], 1, x.dimensions()[1]};
  const int64_t outputs = d.dimensions()[1];
  return Shapes(n)
      .expect(d.dimensions()[0] == n.steps && d_bias->dimensions()[0] == outputs)
      .expect(d_weights->dimensions()[0] == outputs && d_weights->dimensions()[1] == n.hidden)
      .run(unspool::kernels().weight_gradient,
           unspool::WeightGradient{n, outputs, d.typed_data(), x.typed_data() + n.hidden, x.typed_data(),
                                   nullptr, d_weights->typed_data(), d_bias->typed_data()},
           threads);
}

// Ids of any shape: reshaped afterwards, the rows would be copied.
ffi::Error TableRows(Array2 table, ffi::Buffer<ffi::S32> ids, ffi::Result<ffi::Buffer<ffi::F32>> out, int64_t threads) {
  const int64_t rows = ids.element_count(), columns = table.dimensions()[1];
  return Shapes({})
      .expect(static_cast<int64_t>(out->element_count()) == rows * columns)
      .run(unspool::kernels().table_rows,
           unspool::TableRows{rows, table.dimensions()[0], columns, ids.typed_data(), table.typed_data(),
                              out->typed_data()},
           threads);
}

ffi::Error TableGradient(ffi::Buffer<ffi::S32, 1> ids, Array2 d, Result2 d_table, int64_t threads) {
  const int64_t rows = d.dimensions()[0], columns = d.dimensions()[1];
  return Shapes({})
      .expect(ids.dimensions()[0] == rows && d_table->dimensions()[1] == columns)
      .run(unspool::kernels().table_gradient,
           unspool::TableGradient{rows, d_table->dimensions()[0], columns, ids.typed_data(), d.typed_data(),
                                  d_table->typed_data()},
           threads);
}

// The binding of a handler, read off its parameters: arrays are arguments, Results results, the one integer the
// attribute "threads".
template <class Parameter>
struct Binder {
  template <class Binding>
  static auto add(Binding&& binding) { return std::move(binding).template Arg<Parameter>(); }
};

template <class Array>
struct Binder<ffi::Result<Array>> {
  template <class Binding>
  static auto add(Binding&& binding) { return std::move(binding).template Ret<Array>(); }
};

template <>
struct Binder<int64_t> {
  template <class Binding>
  static auto add(Binding&& binding) { return std::move(binding).template Attr<int64_t>("threads"); }
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

// The symbols that library.py registers.
#define UNSPOOL_HANDLER(symbol, function)                                                        \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* symbol(XLA_FFI_CallFrame* frame) { \
    static const auto handler = make_handler(function);                                          \
    return handler->Call(frame);                                                                 \
  }

UNSPOOL_HANDLER(unspool_ffi_rnn_forward, RnnForward)
UNSPOOL_HANDLER(unspool_ffi_rnn_backward, RnnBackward)
UNSPOOL_HANDLER(unspool_ffi_lstm_forward, LstmForward)
UNSPOOL_HANDLER(unspool_ffi_lstm_inference, LstmInference)
UNSPOOL_HANDLER(unspool_ffi_lstm_backward, LstmBackward)
UNSPOOL_HANDLER(unspool_ffi_gru_forward, GruForward)
UNSPOOL_HANDLER(unspool_ffi_gru_inference, GruInference)
UNSPOOL_HANDLER(unspool_ffi_gru_backward, GruBackward)
UNSPOOL_HANDLER(unspool_ffi_weight_gradient, WeightGradient)
UNSPOOL_HANDLER(unspool_ffi_affine_gradient, AffineGradient)
UNSPOOL_HANDLER(unspool_ffi_table_rows, TableRows)
UNSPOOL_HANDLER(unspool_ffi_table_gradient, TableGradient)
