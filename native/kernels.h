// The kernels' arguments and the table through which one instruction set's versions are called.
//
// All arrays are float32, row-major and time-major: T steps, B batch, H hidden. Weights are in
// PyTorch's layout (output, input), gates in its order. `lengths` holds B numbers in [0, T]: row b
// takes part in the steps before lengths[b]; whatever is stored for the others is 0, so that sums
// over all steps need no mask.
//
// With two directions every array has the forward direction's columns, then the backward one's
// (weights: rows). The backward direction begins at each row's last step and ends at its first; its
// h_last is the state there.
//
// d_projected may be the same array as the gates (or, for the plain network, hs), and gates the
// same as projected.
#pragma once

#include <cstdint>
#include <vector>

namespace unspool {

struct Sizes {
  int64_t steps, batch, hidden;
  int64_t directions = 1;
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

// i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of p_t + W h_{t-1};
// c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)
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

// r, z = sigmoid(p_t + W h_{t-1});  m = W_n h_{t-1} + b_n;  n = tanh(p_n + r m);
// h_t = (1 - z) n + z h_{t-1}
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
  float* d_projected;  // of p: d_r, d_z, d_n
  float* d_recurrent;  // of W h_{t-1} + b: d_r, d_z, d_m
  float* d_b_hn;       // (B, H), summed over the steps
  float* d_h0;
};

// The weights' gradient of a product over T * B rows: d_weights (P, H) = the sum over t and b of
// d^T h_{t-1}.
struct WeightGradient {
  Sizes sizes;
  int64_t outputs;           // P, of both directions together
  const float *d, *hs, *h0;  // (T, B, P), (T, B, H), (B, H)
  const int32_t* lengths;    // of interest to the backward direction only
  float* d_weights;
  float* d_bias;  // (P): the sum of d; null where it is not asked for
};

// Rows (N, P) of a table (V, P) by their ids; NaN for ids outside of it.
struct TableRows {
  int64_t rows, entries, columns;  // N, V, P
  const int32_t* ids;
  const float* table;
  float* out;
};

// The gradient of TableRows: the rows of d (N, P) added up by id, d_table (V, P). Ids outside of
// the table are left out.
struct TableGradient {
  int64_t rows, entries, columns;  // N, V, P
  const int32_t* ids;
  const float* d;
  float* d_table;
};

// One layer of a network to sample from. Weights are packed in panels of `panel_columns(gates)`
// columns: of a panel's units, all gates lie together, as (panel, k, gate, unit). `scale`s, where
// not null, multiply the sums of an output.
struct SamplingLayer {
  int64_t inputs, hidden;  // inputs is 0 if the table's rows are this layer's projected inputs
  const void *w_ih, *w_hh;
  const float *ih_scale, *hh_scale;
  const float *bias, *b_hn;  // bias of w_ih's product; b_hn is the GRU's
  const float *h0, *c0;      // (B, H); c0 and c are the LSTM's
  float *h, *c;
};

enum class WeightType : int32_t { kFloat32, kBfloat16, kInt8 };

// Token by token: a row of the table, the layers, logits W_out h + b_out, and a choice: the largest
// of logits / temperature + noise among the top_k largest and of those the likeliest of total
// probability top_p. From `given`, tokens of at least 0 take the place of chosen ones.
struct Sample {
  int64_t steps, batch, vocab, table_columns, layer_count;
  int32_t gates;  // 1: the plain network, 3: GRU, 4: LSTM
  WeightType weight_type;
  const SamplingLayer* layers;
  const float* table;  // (V, table_columns)
  const void* w_out;   // packed as a layer with one gate
  const float *out_scale, *b_out;
  const int32_t *first, *given;  // (B), (steps)
  const float* noise;            // (steps, B, V), or null for the likeliest token
  float temperature;
  int64_t top_k;
  float top_p;
  int32_t* tokens;  // (B, token_stride)
  int64_t token_stride;
};

// Units whose gates share a panel, and its columns.
constexpr int panel_units(int gates) { return gates == 1 ? 64 : 16; }
constexpr int panel_columns(int gates) { return gates * panel_units(gates); }

// Every kernel and its arguments. The table below, the prototypes in passes.h, table.cc and the C
// entry points follow from this list: a new kernel is a line here, its structure above and its
// function; an XLA handler (ffi.h) calls it.
#define UNSPOOL_KERNELS(KERNEL)           \
  KERNEL(rnn_forward, RnnForward)         \
  KERNEL(rnn_backward, RnnBackward)       \
  KERNEL(lstm_forward, LstmForward)       \
  KERNEL(lstm_backward, LstmBackward)     \
  KERNEL(gru_forward, GruForward)         \
  KERNEL(gru_backward, GruBackward)       \
  KERNEL(weight_gradient, WeightGradient) \
  KERNEL(table_rows, TableRows)           \
  KERNEL(table_gradient, TableGradient)   \
  KERNEL(sample, Sample)

struct Kernels {
  const char* isa;
#define UNSPOOL_POINTER(name, Arguments) void (*name)(const Arguments&, int threads);
  UNSPOOL_KERNELS(UNSPOOL_POINTER)
#undef UNSPOOL_POINTER
  void (*tanh)(const float* x, float* y, int64_t count);
  void (*sigmoid)(const float* x, float* y, int64_t count);
};

// Of every instruction set that was compiled and that this processor has: the plain one first, the
// best last.
const std::vector<const Kernels*>& all_kernels();

// The best of them, or those last forced.
const Kernels& kernels();

// For tests. False if `all_kernels` has no such instruction set; "" means the best.
bool force_isa(const char* name);

}  // namespace unspool
