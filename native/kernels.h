// The kernels' arguments and the table through which one instruction set's versions are called.
//
// All arrays are float32, row-major and time-major: T steps, B batch, H hidden. Weights are in PyTorch's layout
// (output, input), gates in its order. `lengths` holds B numbers in [0, T]: from step lengths[b] on row b keeps its
// state, and whatever is stored for it is 0, so that sums over all steps need no mask.
//
// d_projected may be the same array as the gates (or, for the plain network, hs), and gates the same as projected.
#pragma once

#include <cstdint>

namespace unspool {

struct Sizes {
  int64_t steps, batch, hidden;
};

// h_t = tanh(p_t + W h_{t-1})
struct RnnForward {
  Sizes sizes;
  const float *projected, *w_hh, *h0;
  const int32_t* lengths;
  float *hs, *h_last;
};

struct RnnBackward {
  Sizes sizes;
  const float *hs, *w_hh;
  const int32_t* lengths;
  const float *d_hs, *d_h_last;
  float *d_projected, *d_h0;
};

// i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of p_t + W h_{t-1};  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)
struct LstmForward {
  Sizes sizes;
  const float *projected, *w_hh, *h0, *c0;
  const int32_t* lengths;
  float *hs, *cs, *gates;  // cs and gates both null when there will be no backward pass
  float *h_last, *c_last;
};

struct LstmBackward {
  Sizes sizes;
  const float *gates, *cs, *c0, *w_hh;
  const int32_t* lengths;
  const float *d_hs, *d_h_last, *d_c_last;
  float *d_projected, *d_h0, *d_c0;
};

// r, z = sigmoid(p_t + W h_{t-1});  m = W_n h_{t-1} + b_n;  n = tanh(p_n + r m);  h_t = (1 - z) n + z h_{t-1}
struct GruForward {
  Sizes sizes;
  const float *projected, *w_hh, *b_hn, *h0;
  const int32_t* lengths;
  float *hs, *gates, *hn;  // hn is m; gates and hn both null when there will be no backward pass
  float* h_last;
};

struct GruBackward {
  Sizes sizes;
  const float *gates, *hn, *hs, *h0, *w_hh;
  const int32_t* lengths;
  const float *d_hs, *d_h_last;
  float *d_projected, *d_hn, *d_h0;
};

struct Kernels {
  const char* isa;
  void (*rnn_forward)(const RnnForward&, int threads);
  void (*rnn_backward)(const RnnBackward&, int threads);
  void (*lstm_forward)(const LstmForward&, int threads);
  void (*lstm_backward)(const LstmBackward&, int threads);
  void (*gru_forward)(const GruForward&, int threads);
  void (*gru_backward)(const GruBackward&, int threads);
  void (*tanh)(const float* x, float* y, int64_t count);
  void (*sigmoid)(const float* x, float* y, int64_t count);
};

// The kernels for this processor, or those last forced.
const Kernels& kernels();

// For tests. False if the name is unknown, not compiled in, or the processor cannot run it; "" means automatic.
bool force_isa(const char* name);

}  // namespace unspool
