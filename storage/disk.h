// How full the disk is, and what may be written then.
//
// The store watches the space left to its data directory, and keeps a reserve there: a file that
// holds nothing and is given up when the disk is all but full, so that what must go on has room.
//
//   state     entered when                            left when
//   OPEN      there is room                           free < low_bytes
//   LOW       free < low_bytes                        free >= 1.25 low_bytes: OPEN
//   RESERVE   free < reserve_bytes / 2, or a write    free >= 2.25 reserve_bytes and the reserve
//             met a full disk; the reserve is gone    can be made again: LOW or OPEN
//
// The space is looked at once per period and before each transaction; new data that waits in a
// queue then is judged again. A refused write answers RESOURCE_EXHAUSTED kDiskFull before anything
// is looked up or written; it is to be sent again later. Nothing that was acknowledged is touched.
// Reads go on in every state, and none of the changes needs a restart. Deleting rows makes room
// inside the files, for new rows; the files themselves shrink only when an instance is deleted.
#ifndef PASSERELLE_STORAGE_DISK_H_
#define PASSERELLE_STORAGE_DISK_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"

namespace passerelle::storage {

enum class DiskState : uint8_t {
  kOpen = 1,
  kLow = 2,      // new data is refused early
  kReserve = 3,  // only what frees space or must not wait is taken
};

// What a write is for; each write of the store is of one kind, and in which states it is taken
// depends on nothing else.
enum class WriteKind : uint8_t {
  // Brings data in: imports, syncs, pushes, appended logs, and the opening of their streams.
  // Taken in OPEN.
  kIngest,
  // Small, and made by people or by the end of a stream: creating and changing instances,
  // attributes, namespaces, audiences, destinations, sources, consumers, deliveries; finishing a
  // stream. Taken in OPEN and LOW.
  kAdministrative,
  // Frees space or must not wait: every deletion, abandoning a replace, pausing and resuming,
  // acknowledging and seeking of consumers, opt-outs on their way from the log to the profiles,
  // tidying, what opening an instance for the first time writes. Taken in every state.
  kRelieving,
};

struct DiskSpace {
  DiskState state = DiskState::kOpen;
  int64_t free_bytes = 0;  // when last looked at; 0 if the disk is not watched
  int64_t low_bytes = 0;
  int64_t reserve_bytes = 0;
};

struct DiskOptions {
  // Thresholds of the states above. Both 0: the disk is not watched and there is no reserve; the
  // state is OPEN.
  int64_t low_bytes = 0;
  int64_t reserve_bytes = 0;
  // How often the space is looked at, besides before each transaction. Real time.
  absl::Duration period = absl::Seconds(1);
  // Bytes that may still be written in the folder; negative if that cannot be told, which changes
  // nothing. Empty: asks the file system.
  std::function<int64_t(const std::string& folder)> free_space;
  // Called after each change of the state, on a thread of the store; must not block.
  std::function<void(const DiskSpace&)> on_change;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_DISK_H_
