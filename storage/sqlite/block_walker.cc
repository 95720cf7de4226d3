#include "storage/sqlite/block_walker.h"

#include <algorithm>
#include <utility>

namespace passerelle::storage::sqlite {
namespace {

constexpr char kBlocks[] =
    "SELECT profile, channel, reasons FROM reach_block WHERE profile >= ?1 ORDER BY profile";
constexpr int kStepsBeforeSeek = 16;

}  // namespace

BlockWalker::BlockWalker(Database& db, std::vector<std::string> channels)
    : db_(db),
      channels_(std::move(channels)),
      looks_(std::any_of(channels_.begin(), channels_.end(),
                         [](const std::string& channel) { return !channel.empty(); })),
      reasons_(channels_.size()) {}

const std::vector<int64_t>& BlockWalker::At(ProfileId profile) {
  if (found_) std::fill(reasons_.begin(), reasons_.end(), 0);
  found_ = false;
  if (!looks_ || !Seek(profile.value)) return reasons_;
  found_ = true;
  while (at_ == profile.value) {
    const std::string_view of = (*cursor_)->Text(1);
    for (size_t i = 0; i < channels_.size(); ++i) {
      const bool counts = !channels_[i].empty() && (of.empty() || of == channels_[i]);
      if (counts) reasons_[i] |= (*cursor_)->Int(2);
    }
    Step();
  }
  // Its rows are passed: asked for again, it is sought anew.
  asked_ = profile.value + 1;
  return reasons_;
}

bool BlockWalker::Seek(int64_t profile) {
  if (cursor_.has_value() && profile >= asked_) {
    for (int i = 0; i < kStepsBeforeSeek && at_ < profile; ++i) Step();
    if (at_ >= profile) {
      asked_ = profile;
      return at_ == profile;
    }
  }
  cursor_.reset();
  cursor_.emplace(db_.Prepared(kBlocks));
  (*cursor_)->BindInt(1, profile);
  asked_ = profile;
  Step();
  return at_ == profile;
}

void BlockWalker::Step() { at_ = (*cursor_)->Step() ? (*cursor_)->Int(0) : kForever; }

}  // namespace passerelle::storage::sqlite
