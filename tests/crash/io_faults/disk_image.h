// What a disk holds after the power went: made from a trace.
//
// Each file holds everything up to its last sync, and of what was written after it any part: whole
// writes may be missing, and of each write single sectors of 512 bytes. Names (made, changed,
// removed) are kept in each folder by itself, in the order in which they were given, up to the last
// sync of the folder at least.
#ifndef PASSERELLE_TESTS_CRASH_IO_FAULTS_DISK_IMAGE_H_
#define PASSERELLE_TESTS_CRASH_IO_FAULTS_DISK_IMAGE_H_

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tests/crash/io_faults/io_layer.h"

namespace passerelle::crash {

enum class Unsynced {
  kLost,   // nothing that was not synced is there
  kKept,   // all of it is
  kMixed,  // each write is there or not
  kTorn,   // each sector is there or not
};
inline constexpr Unsynced kUnsyncedKinds[] = {Unsynced::kLost, Unsynced::kKept, Unsynced::kMixed,
                                              Unsynced::kTorn};
const char* NameOf(Unsynced unsynced);

// Contents by name below the root; the names of folders end with a slash.
using DiskImage = std::map<std::string, std::string>;

DiskImage ImageAfter(absl::Span<const IoEvent> events, Unsynced unsynced, std::mt19937_64& random);

// Makes the files below `root`, which is emptied.
void WriteImage(const DiskImage& image, const std::string& root);

}  // namespace passerelle::crash

#endif  // PASSERELLE_TESTS_CRASH_IO_FAULTS_DISK_IMAGE_H_
