// Sampling as an XLA custom call. Shapes are checked here: the kernel reads through bare pointers.
#include <vector>

#include "ffi.h"

namespace {

using unspool::panel_columns;
using unspool::panel_units;

using Floats0 = ffi::Buffer<ffi::F32, 0>;
using Floats1 = ffi::Buffer<ffi::F32, 1>;
using Floats2 = ffi::Buffer<ffi::F32, 2>;
using Floats3 = ffi::Buffer<ffi::F32, 3>;
using Ints0 = ffi::Buffer<ffi::S32, 0>;
using Ints1 = ffi::Buffer<ffi::S32, 1>;
using Tokens = ffi::Result<ffi::Buffer<ffi::S32, 2>>;

// For each layer in turn: packed w_ih, its scale, bias, packed w_hh, its scale, b_hn, h, c. Of
// these, arrays that a cell does not have are empty. Results are h and c of each layer.
constexpr size_t kLayerArguments = 8, kLayerResults = 2;

// Takes arrays off the end of the argument list, each with the number of elements it must have.
class Reader {
 public:
  Reader(ffi::RemainingArgs arguments, ffi::RemainingRets results, ffi::DataType weights)
      : arguments_(arguments), results_(results), weights_(weights) {}

  const void* packed(int64_t elements) { return next(elements, weights_); }
  const float* floats(int64_t elements) {
    return static_cast<const float*>(next(elements, ffi::F32));
  }

  // Without a scale, which only int8 weights have, null.
  const float* scale(int64_t elements) { return floats(weights_ == ffi::S8 ? elements : 0); }

  float* result(int64_t elements) {
    auto array = results_.get<ffi::AnyBuffer>(result_++);
    right_ =
        right_ && array.has_value() && (*array)->element_count() == static_cast<size_t>(elements);
    return right_ ? static_cast<float*>((*array)->untyped_data()) : nullptr;
  }

  bool right() const { return right_; }

 private:
  const void* next(int64_t elements, ffi::DataType type) {
    auto array = arguments_.get<ffi::AnyBuffer>(argument_++);
    right_ = right_ && array.has_value() && array->element_type() == type &&
             array->element_count() == static_cast<size_t>(elements);
    return right_ && elements > 0 ? array->untyped_data() : nullptr;
  }

  ffi::RemainingArgs arguments_;
  ffi::RemainingRets results_;
  ffi::DataType weights_;
  size_t argument_ = 0, result_ = 0;
  bool right_ = true;
};

int64_t packed_size(int64_t outputs_per_gate, int gates, int64_t inputs) {
  return (outputs_per_gate + panel_units(gates) - 1) / panel_units(gates) * panel_columns(gates) *
         inputs;
}

// The layers that the arrays describe: sizes come from the attribute, (inputs, hidden) of each.
std::vector<unspool::SamplingLayer> read_layers(Reader& reader, ffi::Span<const int64_t> sizes,
                                                int gates, int64_t batch) {
  std::vector<unspool::SamplingLayer> layers(sizes.size() / 2);
  for (size_t l = 0; l < layers.size(); ++l) {
    unspool::SamplingLayer& layer = layers[l];
    const int64_t inputs = layer.inputs = sizes[2 * l], hidden = layer.hidden = sizes[2 * l + 1];
    const int64_t outputs = gates * hidden, state = batch * hidden;
    layer.w_ih = reader.packed(packed_size(hidden, gates, inputs));
    layer.ih_scale = reader.scale(inputs > 0 ? outputs : 0);
    layer.bias = reader.floats(inputs > 0 ? outputs : 0);
    layer.w_hh = reader.packed(packed_size(hidden, gates, hidden));
    layer.hh_scale = reader.scale(outputs);
    layer.b_hn = reader.floats(gates == 3 ? hidden : 0);
    layer.h0 = reader.floats(state);
    layer.c0 = reader.floats(gates == 4 ? state : 0);
    layer.h = reader.result(state);
    layer.c = reader.result(gates == 4 ? state : 0);
  }
  return layers;
}

bool is_chain(const std::vector<unspool::SamplingLayer>& layers, int gates, int64_t table_columns) {
  if (layers.empty()) return false;
  const unspool::SamplingLayer& first = layers[0];
  bool right = table_columns == (first.inputs > 0 ? first.inputs : gates * first.hidden);
  for (size_t l = 1; l < layers.size(); ++l) {
    right = right && layers[l].inputs == layers[l - 1].hidden;
  }
  return right;
}

bool has_shape(const Floats3& array, int64_t steps, int64_t batch, int64_t vocab) {
  const auto found = array.dimensions();
  return found[0] == steps && found[1] == batch && found[2] == vocab;
}

unspool::WeightType weight_type(ffi::DataType type) {
  if (type == ffi::F32) return unspool::WeightType::kFloat32;
  return type == ffi::BF16 ? unspool::WeightType::kBfloat16 : unspool::WeightType::kInt8;
}

ffi::Error Sample(Ints1 first, Ints1 given, Ints0 steps, Floats3 noise, Floats0 temperature,
                  Ints0 top_k, Floats0 top_p, Floats2 table, ffi::AnyBuffer w_out,
                  Floats1 out_scale, Floats1 b_out, ffi::RemainingArgs arguments, Tokens tokens,
                  ffi::RemainingRets results, int64_t gates_attribute,
                  ffi::Span<const int64_t> sizes, int64_t threads) {
  const int gates = static_cast<int>(gates_attribute);
  const ffi::DataType type = w_out.element_type();
  const int64_t batch = first.dimensions()[0], block = given.dimensions()[0];
  const int64_t vocab = b_out.dimensions()[0];
  Reader reader(arguments, results, type);
  const auto layers = read_layers(reader, sizes, gates, batch);
  const bool is_greedy = noise.element_count() == 0, is_int8 = type == ffi::S8;
  const bool layers_fit = reader.right() && arguments.size() == kLayerArguments * layers.size() &&
                          results.size() == kLayerResults * layers.size() &&
                          is_chain(layers, gates, table.dimensions()[1]) &&
                          table.dimensions()[0] == vocab;
  const bool fit =
      layers_fit && vocab > 0 && (gates == 1 || gates == 3 || gates == 4) &&
      (type == ffi::F32 || type == ffi::BF16 || is_int8) &&
      w_out.element_count() == static_cast<size_t>(packed_size(vocab, 1, layers.back().hidden)) &&
      out_scale.dimensions()[0] == (is_int8 ? vocab : 0) &&
      (is_greedy || has_shape(noise, block, batch, vocab)) && tokens->dimensions()[0] == batch &&
      tokens->dimensions()[1] == block && *steps.typed_data() >= 0 &&
      *steps.typed_data() <= block && *top_k.typed_data() > 0;
  const unspool::Sample io{*steps.typed_data(),
                           batch,
                           vocab,
                           table.dimensions()[1],
                           static_cast<int64_t>(layers.size()),
                           gates,
                           weight_type(type),
                           layers.data(),
                           table.typed_data(),
                           w_out.untyped_data(),
                           is_int8 ? out_scale.typed_data() : nullptr,
                           b_out.typed_data(),
                           first.typed_data(),
                           given.typed_data(),
                           is_greedy ? nullptr : noise.typed_data(),
                           *temperature.typed_data(),
                           *top_k.typed_data(),
                           *top_p.typed_data(),
                           tokens->typed_data(),
                           block};
  return unspool::run_if(fit, unspool::kernels().sample, io, threads);
}

}  // namespace

UNSPOOL_HANDLER(sample, ffi::Ffi::Bind()
                            .Arg<Ints1>()
                            .Arg<Ints1>()
                            .Arg<Ints0>()
                            .Arg<Floats3>()
                            .Arg<Floats0>()
                            .Arg<Ints0>()
                            .Arg<Floats0>()
                            .Arg<Floats2>()
                            .Arg<ffi::AnyBuffer>()
                            .Arg<Floats1>()
                            .Arg<Floats1>()
                            .RemainingArgs()
                            .Ret<ffi::Buffer<ffi::S32, 2>>()
                            .RemainingRets()
                            .Attr<int64_t>("gates")
                            .Attr<ffi::Span<const int64_t>>("sizes")
                            .Attr<int64_t>("threads")
                            .To(Sample))
