#include "storage/sqlite/write_queue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace passerelle::storage::sqlite {

absl::Status WriteQueue::Add(std::unique_ptr<WriteRequest>&& request) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return closed_status_;
  if (!HasRoom(*request)) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                     absl::StrCat("too many writes are waiting: ", rows_, " rows of at most ",
                                  limits_.max_rows, ", ", small_requests_,
                                  " small calls of at most ", limits_.max_small_requests));
  }
  if (request->queue_key().empty()) {
    ++small_requests_;
    small_.push_back(Entry{std::move(request), true});
    return absl::OkStatus();
  }
  rows_ += request->rows();
  bytes_ += request->bytes();
  Lane& lane = LaneOf(request->queue_key());
  lane.entries.push_back(Entry{std::move(request), true});
  return absl::OkStatus();
}

bool WriteQueue::HasRoom(const WriteRequest& request) const {
  if (request.queue_key().empty()) return small_requests_ < limits_.max_small_requests;
  if (rows_ == 0 && bytes_ == 0) return true;
  return rows_ + request.rows() <= limits_.max_rows &&
         bytes_ + request.bytes() <= limits_.max_bytes;
}

bool WriteQueue::HasSpace() const {
  return closed_ || (rows_ <= limits_.max_rows / 2 && bytes_ <= limits_.max_bytes / 2 &&
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
  return closed_ || !small_.empty() || !lanes_.empty() || (!waiters_.empty() && HasSpace());
}

bool WriteQueue::Wait() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &WriteQueue::SomethingToDo));
  return !(closed_ && small_.empty() && lanes_.empty() && waiters_.empty());
}

std::unique_ptr<WriteRequest> WriteQueue::Take(bool first, int64_t max_rows) {
  absl::MutexLock lock(&mutex_);
  if (small_.empty() && lanes_.empty()) return nullptr;
  const Entry& next = small_.empty() ? lanes_.front().entries.front() : small_.front();
  if (!first && (next.request->alone() || next.request->rows() > max_rows)) return nullptr;
  return small_.empty() ? PopStream() : PopSmall();
}

std::unique_ptr<WriteRequest> WriteQueue::PopSmall() {
  Entry entry = std::move(small_.front());
  small_.pop_front();
  --small_requests_;
  return std::move(entry.request);
}

// The lane goes to the back: each stream gives one request per round.
std::unique_ptr<WriteRequest> WriteQueue::PopStream() {
  Lane& lane = lanes_.front();
  Entry entry = std::move(lane.entries.front());
  lane.entries.pop_front();
  if (entry.counted) {
    rows_ -= entry.request->rows();
    bytes_ -= entry.request->bytes();
  }
  if (lane.entries.empty()) {
    lane_by_key_.erase(lane.key);
    lanes_.pop_front();
  } else {
    lanes_.splice(lanes_.end(), lanes_, lanes_.begin());
  }
  return std::move(entry.request);
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
