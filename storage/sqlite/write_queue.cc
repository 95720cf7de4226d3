#include "storage/sqlite/write_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace passerelle::storage::sqlite {
namespace {

// No stream has a key with NUL.
constexpr std::string_view kLargeKey("\0large", 6);

bool IsSmall(const WriteRequest& request) {
  return request.queue_key().empty() && request.rows() <= kSmallRowsMax;
}

std::string_view KeyOf(const WriteRequest& request) {
  return request.queue_key().empty() ? kLargeKey : request.queue_key();
}

}  // namespace

void WriteQueue::Load::Add(const WriteRequest& request) {
  rows += request.rows();
  bytes += request.bytes();
}

void WriteQueue::Load::Remove(const WriteRequest& request) {
  rows -= request.rows();
  bytes -= request.bytes();
}

bool WriteQueue::Load::Takes(const WriteRequest& request, const WriteQueueLimits& limits) const {
  if (rows == 0 && bytes == 0) return true;
  return rows + request.rows() <= limits.max_rows && bytes + request.bytes() <= limits.max_bytes;
}

bool WriteQueue::Load::IsHalfEmpty(const WriteQueueLimits& limits) const {
  return rows <= limits.max_rows / 2 && bytes <= limits.max_bytes / 2;
}

std::string WriteQueue::Load::Text(const WriteQueueLimits& limits) const {
  return absl::StrCat(rows, " rows of at most ", limits.max_rows, " and ", bytes,
                      " bytes of at most ", limits.max_bytes);
}

absl::Status WriteQueue::Add(std::unique_ptr<WriteRequest>&& request) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return closed_status_;
  if (!HasRoom(*request)) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                     absl::StrCat("too many writes are waiting: ", streams_.Text(limits_), ", and ",
                                  small_requests_, " small calls of at most ",
                                  limits_.max_small_requests, " with ", small_load_.Text(limits_)));
  }
  if (IsSmall(*request)) {
    ++small_requests_;
    small_load_.Add(*request);
    small_.push_back(Entry{std::move(request), true});
    return absl::OkStatus();
  }
  streams_.Add(*request);
  Lane& lane = LaneOf(KeyOf(*request));
  lane.entries.push_back(Entry{std::move(request), true});
  return absl::OkStatus();
}

bool WriteQueue::HasRoom(const WriteRequest& request) const {
  if (!IsSmall(request)) return streams_.Takes(request, limits_);
  if (small_requests_ >= limits_.max_small_requests) return false;
  return request.rows() <= 1 || small_load_.Takes(request, limits_);
}

bool WriteQueue::HasSpace() const {
  return closed_ || (streams_.IsHalfEmpty(limits_) && small_load_.IsHalfEmpty(limits_) &&
                     small_requests_ <= limits_.max_small_requests / 2);
}

WriteQueue::Lane& WriteQueue::LaneOf(std::string_view key) {
  auto [found, is_new] = lane_by_key_.try_emplace(std::string(key));
  if (is_new) found->second = lanes_.insert(lanes_.end(), Lane{std::string(key), {}});
  return *found->second;
}

bool WriteQueue::OnSpace(absl::AnyInvocable<void()>&& callback) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  waiters_.push_back(std::move(callback));
  return true;
}

void WriteQueue::Close(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  closed_status_ = std::move(status);
}

bool WriteQueue::SomethingToDo() const {
  return closed_ || awake_ || !small_.empty() || !lanes_.empty() ||
         (!waiters_.empty() && HasSpace());
}

bool WriteQueue::Wait() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &WriteQueue::SomethingToDo));
  return !(closed_ && small_.empty() && lanes_.empty() && waiters_.empty());
}

void WriteQueue::SetAwake(bool awake) {
  absl::MutexLock lock(&mutex_);
  awake_ = awake;
}

bool WriteQueue::HasRequests() const {
  absl::MutexLock lock(&mutex_);
  return !small_.empty() || !lanes_.empty();
}

std::unique_ptr<WriteRequest> WriteQueue::Take(bool first, int64_t max_rows) {
  absl::MutexLock lock(&mutex_);
  if (small_.empty() && lanes_.empty()) return nullptr;
  const bool small = SmallIsNext();
  const Entry& next = small ? small_.front() : lanes_.front().entries.front();
  if (!first && (next.request->alone() || next.request->rows() > max_rows)) return nullptr;
  return small ? PopSmall() : PopStream();
}

bool WriteQueue::SmallIsNext() const {
  if (small_.empty()) return false;
  return lanes_.empty() || small_rows_taken_ < kSmallRowsPerRound;
}

std::unique_ptr<WriteRequest> WriteQueue::PopSmall() {
  Entry entry = std::move(small_.front());
  small_.pop_front();
  --small_requests_;
  small_load_.Remove(*entry.request);
  if (!lanes_.empty()) small_rows_taken_ += std::max<int64_t>(1, entry.request->rows());
  return std::move(entry.request);
}

// The lane goes to the back: each stream gives one request per round.
std::unique_ptr<WriteRequest> WriteQueue::PopStream() {
  if (lanes_left_ == 0) lanes_left_ = lanes_.size();
  Lane& lane = lanes_.front();
  Entry entry = std::move(lane.entries.front());
  lane.entries.pop_front();
  if (entry.counted) streams_.Remove(*entry.request);
  if (lane.entries.empty()) {
    lane_by_key_.erase(lane.key);
    lanes_.pop_front();
  } else {
    lanes_.splice(lanes_.end(), lanes_, lanes_.begin());
  }
  EndLaneTurn();
  return std::move(entry.request);
}

// A round ends when every lane that waited at its beginning has given once, or none is left.
void WriteQueue::EndLaneTurn() {
  lanes_left_ = std::min(lanes_left_ - 1, lanes_.size());
  if (lanes_left_ == 0) small_rows_taken_ = 0;
}

// At the front of its own lane, so that later requests of the key wait. A small call gets a lane of
// its own, so that its turns do not hold up the other small calls; no stream has such a key (NUL).
void WriteQueue::Requeue(std::unique_ptr<WriteRequest> request) {
  absl::MutexLock lock(&mutex_);
  std::string key(request->queue_key());
  if (key.empty()) key = absl::StrCat(std::string(1, '\0'), "turn ", ++turns_);
  LaneOf(key).entries.push_front(Entry{std::move(request), false});
}

std::vector<absl::AnyInvocable<void()>> WriteQueue::TakeSpaceWaiters() {
  absl::MutexLock lock(&mutex_);
  if (!HasSpace()) return {};
  return std::exchange(waiters_, {});
}

std::vector<std::unique_ptr<WriteRequest>> WriteQueue::TakeAll() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::unique_ptr<WriteRequest>> all;
  while (!small_.empty()) all.push_back(PopSmall());
  while (!lanes_.empty()) all.push_back(PopStream());
  return all;
}

}  // namespace passerelle::storage::sqlite
