// A block of floats on a cache-line boundary, freed with its owner.
#pragma once

#include <cstdint>
#include <new>

namespace unspool::UNSPOOL_ISA {

class Buffer {
 public:
  explicit Buffer(int64_t floats)
      : data_(static_cast<float*>(::operator new(sizeof(float) * floats, std::align_val_t{64}))) {}
  ~Buffer() { ::operator delete(data_, std::align_val_t{64}); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  float* data() const { return data_; }

 private:
  float* data_;
};

}  // namespace unspool::UNSPOOL_ISA
