#include "storage/sqlite/clear_record_keys.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int kPageRows = 1'000;
constexpr char kPage[] =
    "SELECT stream, row_offset, record_key FROM row_outcome WHERE (stream, row_offset) > (?1, ?2) "
    "AND stream IN (SELECT id FROM write_stream WHERE clear_record_keys = 1) "
    "ORDER BY stream, row_offset LIMIT ?3";
constexpr char kForget[] =
    "UPDATE row_outcome SET record_key = x'' WHERE stream = ?1 AND row_offset = ?2";

struct Place {
  std::string stream;
  int64_t offset = -1;
};

// Callers take their keys from the same columns as their identities, before those are normalised.
bool IsOfPerson(const Schema& schema, PersonMatcher& matcher, std::string_view record_key) {
  if (record_key.empty()) return false;
  const std::string lower =
      absl::AsciiStrToLower(absl::string_view(record_key.data(), record_key.size()));
  for (const IdentityNamespace& ns : schema.namespaces()) {
    if (matcher.Matches(ns.number, record_key)) return true;
    if (lower != record_key && matcher.Matches(ns.number, lower)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<int64_t> ForgetRecordKeys(File& file, const Schema& schema, PersonMatcher& matcher,
                                         const std::atomic<bool>& stop) {
  int64_t forgotten = 0;
  Place last;
  for (bool more = true; more;) {
    if (stop) return absl::CancelledError("the instance is being closed");
    std::vector<Place> found;
    RETURN_IF_ERROR(file.Read({}, "privacy: record keys", [&](const ReadLease& lease) {
      found.clear();
      Place place = last;
      StatementScope rows(lease.db().Prepared(kPage));
      rows->BindText(1, last.stream).BindInt(2, last.offset).BindInt(3, kPageRows);
      int seen = 0;
      for (; rows->Step(); ++seen) {
        place = {std::string(rows->Text(0)), rows->Int(1)};
        if (IsOfPerson(schema, matcher, rows->Blob(2))) found.push_back(place);
      }
      more = seen == kPageRows;
      last = std::move(place);
      return absl::OkStatus();
    }));
    if (found.empty()) continue;
    const auto forget = [&](Transaction& transaction) {
      for (const Place& place : found) {
        StatementScope(transaction.db().Prepared(kForget))
            ->BindAll(place.stream, place.offset)
            .Run();
      }
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(file.Write(forget, WriteKind::kRelieving).status());
    forgotten += static_cast<int64_t>(found.size());
  }
  return forgotten;
}

}  // namespace passerelle::storage::sqlite
