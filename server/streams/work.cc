#include "server/streams/work.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr absl::Duration kRetryAfter = absl::Milliseconds(500);

WorkPool::Shape WithSetting(WorkPool::Shape shape, const char* setting) {
  shape.setting = setting;
  return shape;
}

}  // namespace

WorkPool::WorkPool(Shape shape) : shape_(shape) {
  threads_.reserve(static_cast<std::size_t>(shape_.threads));
  for (int i = 0; i < shape_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkPool::~WorkPool() { Shutdown(); }

bool WorkPool::Submit(absl::AnyInvocable<void()>&& task) {
  return Enqueue(std::move(task), shape_.queue_limit);
}

bool WorkPool::SubmitContinuation(absl::AnyInvocable<void()>&& task) {
  return Enqueue(std::move(task), std::numeric_limits<std::size_t>::max());
}

bool WorkPool::Enqueue(absl::AnyInvocable<void()>&& task, std::size_t limit) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_ || queue_.size() >= limit) return false;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void WorkPool::Run() {
  while (true) {
    absl::AnyInvocable<void()> task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

void WorkPool::Shutdown() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  const std::lock_guard<std::mutex> lock(join_mutex_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Status WorkPool::Refusal() const {
  return errors::Overloaded(
      absl::StrCat("too many calls wait, limit ", shape_.queue_limit, " (", shape_.setting, ")"),
      kRetryAfter);
}

std::size_t WorkPool::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.size();
}

WorkPools::WorkPools(WorkPool::Shape short_shape, WorkPool::Shape long_shape)
    : short_calls(WithSetting(short_shape, "--short-queue")),
      long_calls(WithSetting(long_shape, "--long-queue")) {}

}  // namespace passerelle
