#include "server/access/access_watch.h"

#include <chrono>
#include <utility>

namespace passerelle {
namespace {

constexpr std::chrono::seconds kPeriod(5);

}  // namespace

AccessWatch::AccessWatch(std::function<void()> look)
    : look_(std::move(look)), thread_([this] { Loop(); }) {}

AccessWatch::~AccessWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  stop_told_.notify_all();
  thread_.join();
}

void AccessWatch::Loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_told_.wait_for(lock, kPeriod, [this] { return stopped_; })) {
    lock.unlock();
    look_();
    lock.lock();
  }
}

}  // namespace passerelle
