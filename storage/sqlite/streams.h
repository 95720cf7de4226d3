// StreamStore over both files of an instance.
#ifndef PASSERELLE_STORAGE_SQLITE_STREAMS_H_
#define PASSERELLE_STORAGE_SQLITE_STREAMS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/sqlite/instance_context.h"
#include "storage/stream_store.h"

namespace passerelle::storage::sqlite {

// A stream of logs has its name in the profiles file and the rest in the logs file. The name is
// written first and removed last, so that a crash in between leaves a name without a stream: it
// counts as free, and the next open takes it.
class SqliteStreams : public StreamStore {
 public:
  // Throws away in the background what abandoned replaces left.
  SqliteStreams(InstanceContext& context, int64_t max_streams);

  absl::StatusOr<Written<StreamState>> Open(const OpenStream& open) override;
  absl::StatusOr<Written<StreamState>> Finish(std::string_view stream, int64_t epoch,
                                              int64_t total_records) override;
  absl::StatusOr<StreamState> GetStream(std::string_view stream,
                                        const ReadContext& context) const override;
  absl::StatusOr<Page<StreamState>> ListStreams(const PageRequest& page,
                                                const ReadContext& context) const override;
  absl::StatusOr<Written<StreamState>> DeleteStream(std::string_view stream) override;
  absl::StatusOr<Written<int64_t>> AbandonReplace(std::string_view stream) override;
  absl::StatusOr<OutcomePage> ListRowOutcomes(std::string_view stream, const OutcomeFilter& filter,
                                              const OutcomeScan& scan,
                                              const ReadContext& context) const override;
  void OnProfilesSpace(absl::AnyInvocable<void()> callback) override;
  void OnLogsSpace(absl::AnyInvocable<void()> callback) override;

 private:
  // The file whose table has the stream; null: neither.
  absl::StatusOr<File*> FileOf(std::string_view stream) const;
  // Fences or makes the stream and reserves its name; what a replace carries is left to do.
  absl::StatusOr<Written<StreamState>> OpenNamed(const OpenStream& open);
  // Fences the stream and deletes its outcomes and hashes; returns the state it had.
  absl::StatusOr<StreamState> DeleteRows(File& file, std::string_view stream);
  absl::StatusOr<Written<StreamState>> OpenInProfiles(const OpenStream& open);
  absl::StatusOr<Written<StreamState>> OpenInLogs(const OpenStream& open, bool exists);
  absl::StatusOr<std::optional<StreamState>> ReadState(const File& file, std::string_view stream,
                                                       const ReadContext& context) const;

  InstanceContext& context_;
  const int64_t max_streams_;
  // One name is given or freed at a time: both look at two files before they write. Held for one
  // transaction of each file, not for work by turns.
  absl::Mutex names_mutex_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_STREAMS_H_
