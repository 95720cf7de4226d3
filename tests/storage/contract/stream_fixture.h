// Write streams, and short words for sending to them and for reading what they keep.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_STREAM_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_STREAM_FIXTURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/contract/records.h"
#include "tests/storage/contract/store_contract.h"

namespace passerelle::storage {

// Streams of imports; the records are persons "p<offset>".
class StreamContractBase : public StoreContract {
 protected:
  StreamState OpenStreamOf(const std::string& id, StreamKind kind = StreamKind::kImportProfiles) {
    OpenStream open;
    open.stream = id;
    open.kind = kind;
    auto opened = instance().streams().Open(open);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? opened->value : StreamState{};
  }

  // offset + count; some offsets are at the end of numbers.
  static int64_t Later(int64_t offset, int64_t count) {
    return static_cast<int64_t>(static_cast<uint64_t>(offset) + static_cast<uint64_t>(count));
  }
  // Persons first ... first + count - 1; `salt` changes the content. Every tenth is refused.
  Records Persons(int64_t first, int64_t count, uint32_t salt = 0) {
    Records records({});
    for (int64_t n = 0; n < count; ++n) {
      const int64_t i = Later(first, n);
      records.Add({{Namespace("external_id"), absl::StrCat("p", i)}});
      records.Last().content_hash = static_cast<uint32_t>(i) * 7 + salt;
      if (i % 10 == 9) records.Last().refusal = Refusal{RowReason::kMalformedEmail, "mail"};
    }
    return records;
  }
  absl::StatusOr<WriteAck> Send(WriteOptions options, Records records) {
    ImportBatch batch{std::move(options), records.Take()};
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().importer().SubmitImport(batch, done); });
  }
  absl::StatusOr<WriteAck> SendAt(const StreamState& stream, int64_t offset, int64_t count,
                                  uint32_t salt = 0) {
    WriteOptions options;
    options.position = StreamPosition{stream.stream, stream.epoch, offset,
                                      absl::StrCat("after ", Later(offset, count))};
    return Send(options, Persons(offset, count, salt));
  }
  absl::StatusOr<WriteAck> Request(const std::string& id, int64_t first, int64_t count,
                                   const std::string& payload, bool all_or_nothing = false) {
    WriteOptions options;
    options.request = RequestKey{id, "BatchImportProfiles", payload};
    options.all_or_nothing = all_or_nothing;
    return Send(options, Persons(first, count));
  }
  StreamState Get(const std::string& id) {
    auto state = instance().streams().GetStream(id, {});
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? *state : StreamState{};
  }
  std::vector<int64_t> LedgerOf(const std::string& id) { return OffsetsOf(id, {}, {}); }
  std::vector<int64_t> OffsetsOf(const std::string& id, const OutcomeFilter& filter,
                                 const OutcomeScan& scan) {
    auto page = instance().streams().ListRowOutcomes(id, filter, scan, {});
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<int64_t> offsets;
    if (page.ok()) {
      for (const RowResult& row : page->rows) offsets.push_back(row.offset);
    }
    return offsets;
  }
  void MakeAudience() {
    Audience audience;
    audience.id = "a";
    ASSERT_TRUE(instance().audiences().CreateAudience(audience, {}).ok());
  }
  static OpenStream ReplaceOfA() {
    OpenStream open;
    open.stream = "r";
    open.kind = StreamKind::kReplaceMembers;
    open.replace = ReplaceOptions{"a", std::nullopt, 1};
    return open;
  }
  int64_t Profiles() {
    auto usage = instance().GetUsage({});
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.ok() ? usage->profiles : -1;
  }
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_STREAM_FIXTURE_H_
