// Bytes that outlive the call that made them: what conversion writes anew (a normalised identity, a
// hash) is kept here, and the records hold views of it.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace passerelle {

// Append-only; one thread at a time. Views stay valid until Reset or destruction.
class ByteArena {
 public:
  std::string_view Keep(std::string_view bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > left_) Grow(bytes.size());
    std::memcpy(next_, bytes.data(), bytes.size());
    const std::string_view kept(next_, bytes.size());
    next_ += bytes.size();
    left_ -= bytes.size();
    return kept;
  }

  // Forgets everything but keeps the first block for reuse.
  void Reset() {
    if (blocks_.size() > 1) blocks_.resize(1);
    next_ = blocks_.empty() ? nullptr : blocks_[0].get();
    left_ = blocks_.empty() ? 0 : first_size_;
  }

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024;

  void Grow(std::size_t wanted) {
    const std::size_t size = wanted > kBlockBytes ? wanted : kBlockBytes;
    if (blocks_.empty()) first_size_ = size;
    blocks_.emplace_back(new char[size]);
    next_ = blocks_.back().get();
    left_ = size;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t first_size_ = 0;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace passerelle
