// The short words of which the scenario's steps are made.
#ifndef PASSERELLE_TESTS_CRASH_IO_FAULTS_SCENARIO_STEPS_H_
#define PASSERELLE_TESTS_CRASH_IO_FAULTS_SCENARIO_STEPS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "tests/crash/io_faults/scenario.h"
#include "tests/storage/contract/records.h"

namespace passerelle::crash {

// Profiles by their external ids: those from `first` up to, but without, `end`.
struct Range {
  int first;
  int end;
  int64_t size() const { return end - first; }
};

// Opens the stream and gives `submit` a batch's place in it. Waits for the answer; a store that
// never answers is DEADLINE_EXCEEDED.
absl::Status SendBatch(
    World& world, const storage::OpenStream& stream, int64_t offset,
    absl::FunctionRef<absl::Status(const storage::WriteOptions&, storage::Done<storage::WriteAck>&)>
        submit);

absl::Status Import(World& world, const std::string& stream, Range range, int64_t offset);
absl::Status Sync(World& world, Range range);
absl::Status Push(World& world, const std::string& audience, Range range);
absl::Status StageReplace(World& world, Range range);
absl::Status PublishReplace(World& world, int64_t staged);
// Delivery rows (sent), or, with `opt_out`, tracking rows by which each opts out.
absl::Status Append(World& world, Range range, int64_t offset, bool opt_out);

absl::StatusOr<int64_t> CountLogRows(World& world, std::optional<storage::LogKind> kind);
absl::StatusOr<int64_t> CountMembers(World& world, const std::string& audience);
// How many of the range there are for which `is_so`.
absl::StatusOr<int64_t> CountProfiles(World& world, Range range,
                                      absl::FunctionRef<bool(const storage::Profile&)> is_so);
// The value of an attribute as an integer; -1: none.
int64_t IntOf(World& world, const storage::Profile& profile, const std::string& attribute);

// All or nothing of `wanted`, counted from `before`.
inline Seen SeenOf(int64_t counted, int64_t wanted, int64_t before = 0) {
  return counted == wanted ? Seen::kPresent : counted == before ? Seen::kAbsent : Seen::kPartly;
}
// NOT_FOUND is absent, any other error an error.
absl::StatusOr<Seen> SeenBy(const absl::Status& found);

}  // namespace passerelle::crash

#endif  // PASSERELLE_TESTS_CRASH_IO_FAULTS_SCENARIO_STEPS_H_
