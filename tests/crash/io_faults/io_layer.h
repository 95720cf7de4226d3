// What stands between SQLite and the disk in the I/O proofs: it counts the calls, makes one of them
// (or all from one on) fail, and keeps a trace of everything that reached the disk.
//
// The calls come from a VFS that is made SQLite's default one (shim_vfs.cc), and from the few calls
// by which the store moves and removes files itself (file_calls.cc).
#ifndef PASSERELLE_TESTS_CRASH_IO_FAULTS_IO_LAYER_H_
#define PASSERELLE_TESTS_CRASH_IO_FAULTS_IO_LAYER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace passerelle::crash {

enum class IoCall : uint8_t {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kDelete,
  kMap,  // a page of the shared index of the write-ahead log
  kRename,
  kSyncFolder,
};
const char* NameOf(IoCall call);

// One entry of the trace. Files are numbered when they are made, and keep their number when their
// name changes.
struct IoEvent {
  enum class Kind : uint8_t {
    kCreate,      // file, path
    kWrite,       // file, offset, data
    kTruncate,    // file, offset: the size
    kSync,        // file: what was written to it before is durable
    kFailedSync,  // file: what was written to it since its last sync is lost for good
    kMakeFolder,  // path
    kRename,      // path, to: a file, or a folder with all in it
    kUnlink,      // path
    kSyncFolder,  // path: the names in it are durable
    kMark,        // offset: a number of the caller's
  };
  Kind kind;
  int file = -1;
  int64_t offset = 0;
  std::string data;
  std::string path;
  std::string to;
};

struct IoFault {
  int64_t nth = 0;  // from 1; 0: nothing fails
  bool for_ever = false;
  std::optional<IoCall> only;  // count and fail these alone
  // Called when it is met first, on the thread of the call; must not use the layer.
  void (*met)() = nullptr;
};

// Thread-safe.
class IoLayer {
 public:
  static IoLayer& Get();

  // From now on: calls on files below `root` are counted, made to fail, and traced if asked for.
  void Begin(const std::string& root, const IoFault& fault, bool traced);
  // From now on every call goes through, uncounted. Returns the trace.
  std::vector<IoEvent> End();

  int64_t calls() const;
  // What failed first; empty if nothing did yet. "write /store/control.db-wal"
  std::string failed() const;
  // Files whose sync failed, by name below the root.
  std::set<std::string> unsynced() const;
  void Mark(int64_t number);

  // For the calls. True: this one must fail.
  bool Fails(IoCall call, const std::string& path);
  // The number of the file with this name, made when there is none.
  int FileAt(const std::string& path);
  void Note(IoEvent event);

 private:
  bool Watches(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MoveNames(const IoEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::string root_ ABSL_GUARDED_BY(mutex_);  // empty: nothing is watched
  IoFault fault_ ABSL_GUARDED_BY(mutex_);
  bool traced_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int files_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string failed_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> unsynced_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> file_by_path_ ABSL_GUARDED_BY(mutex_);
  std::vector<IoEvent> trace_ ABSL_GUARDED_BY(mutex_);
};

// Makes the shim SQLite's default VFS. Once, before the first database is opened.
void UseShimVfs();

}  // namespace passerelle::crash

#endif  // PASSERELLE_TESTS_CRASH_IO_FAULTS_IO_LAYER_H_
