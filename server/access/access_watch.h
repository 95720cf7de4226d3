// Looks every few seconds whether open calls may go on: credentials expire while nobody asks.
#ifndef PASSERELLE_SERVER_ACCESS_ACCESS_WATCH_H_
#define PASSERELLE_SERVER_ACCESS_ACCESS_WATCH_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace passerelle {

// One thread, from its making to its end. Safe on any thread.
class AccessWatch {
 public:
  // Calls `look` every 5 seconds, on its own thread.
  explicit AccessWatch(std::function<void()> look);
  // Waits for a look that is at hand.
  ~AccessWatch();

 private:
  void Loop();

  const std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable stop_told_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_ACCESS_WATCH_H_
