// A temporary folder that goes away whatever happens, and with it the server that works in it.
#ifndef PASSERELLE_TESTS_BENCH_SCRATCH_FOLDER_H_
#define PASSERELLE_TESTS_BENCH_SCRATCH_FOLDER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace passerelle::bench {

// Below $TMPDIR. Removed by the destructor, and when SIGINT, SIGTERM or SIGHUP ends the program
// (see StopOnSignals).
class ScratchFolder {
 public:
  // Throws std::runtime_error.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// passerelled from the folder of this program, on a free TCP port of the loopback, with its data in
// a folder of its own. It dies with this program, however that ends.
class SpawnedServer {
 public:
  // Returns once it serves. Throws std::runtime_error with the end of its log. Call it on a thread
  // that lives as long as the server: the main one.
  explicit SpawnedServer(const std::string& folder);
  // Tells it to end, waits, and kills it by its pid after ten seconds.
  ~SpawnedServer();
  SpawnedServer(const SpawnedServer&) = delete;
  SpawnedServer& operator=(const SpawnedServer&) = delete;

  const std::string& address() const { return address_; }
  // The most memory it ever held: VmHWM.
  int64_t PeakRssBytes() const;

 private:
  std::string ReadServingLine(int out) const;
  void Stop();

  const std::string log_path_;
  pid_t pid_ = -1;
  std::string address_;
};

// Call first of all, before any thread is there: from then on a signal that ends the program stops
// the server, removes the folder and exits with 128 + its number.
void StopOnSignals();

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_SCRATCH_FOLDER_H_
