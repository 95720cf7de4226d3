// A store with keys, an erasure journal and people with everything that can be held on them, and
// short words for privacy requests.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_PRIVACY_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_PRIVACY_FIXTURE_H_

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/storage/contract/reach_fixture.h"

namespace passerelle::storage {

class PrivacyContractBase : public ReachContractBase {
 protected:
  void SetUp() override {
    options_.erasure_journal = journal_folder_.File("erasures");
    ReachContractBase::SetUp();
    if (HasFatalFailure()) return;
    Delivery delivery;
    delivery.id = "summer";
    delivery.channel = "email";
    ASSERT_TRUE(instance().logs().CreateDelivery(delivery, {}).ok());
  }

  PrivacyStore& privacy() { return instance().privacy(); }

  static PrivacyRequest Asked(const std::string& id, PrivacyKind kind) {
    PrivacyRequest request;
    request.id = id;
    request.kind = kind;
    return request;
  }
  PrivacySubject::Identity MailOf(const std::string& address) const {
    return {email, address, Sha256HexOf(address)};
  }
  PrivacySubject WithMail(const std::string& address) const { return {{}, {MailOf(address)}}; }
  static PrivacySubject WithProfile(ProfileId profile) { return {profile, {}}; }

  absl::StatusOr<Written<PrivacyRequest>> Ask(const std::string& id, PrivacyKind kind,
                                              const PrivacySubject& subject,
                                              const AdminWrite& write = {}) {
    return privacy().CreateRequest(Asked(id, kind), subject, write);
  }
  PrivacyRequest Get(const std::string& id) {
    const auto got = privacy().GetRequest(id, {});
    EXPECT_TRUE(got.ok()) << got.status();
    return got.value_or(PrivacyRequest{});
  }
  // Asks, and waits for the end.
  PrivacyRequest Done(const std::string& id, PrivacyKind kind, const PrivacySubject& subject) {
    const auto asked = Ask(id, kind, subject);
    EXPECT_TRUE(asked.ok()) << asked.status();
    if (!asked.ok()) return {};
    AwaitEnd(id);
    return Get(id);
  }
  void AwaitEnd(const std::string& id) {
    EXPECT_TRUE(Becomes([&] { return Get(id).state != PrivacyState::kRunning; }));
  }
  PrivacyRequest Erased(const std::string& id, const PrivacySubject& subject) {
    const PrivacyRequest request = Done(id, PrivacyKind::kErase, subject);
    EXPECT_EQ(request.state, PrivacyState::kSucceeded) << request.failure;
    return request;
  }
  std::string Archive(const std::string& id) {
    std::string text;
    while (true) {
      const auto part = privacy().ReadArchive(id, static_cast<int64_t>(text.size()), {});
      EXPECT_TRUE(part.ok()) << part.status();
      if (!part.ok() || part->empty()) return text;
      text += *part;
    }
  }
  static int64_t CountIn(const PrivacyRequest& request, const std::string& table) {
    for (const TableCount& count : request.counts) {
      if (count.table == table) return count.rows;
    }
    return 0;
  }

  // A delivery row, or with `tracking_kind` a tracking row, of a message.
  struct Logged {
    int64_t broadlog_id = 0;
    std::string address;  // empty: no identity
    int tracking_kind = 0;
    std::string url;
    std::string reason;
    int64_t profile = 0;
    int status = kStatusSent;
    int failure_type = 0;
  };
  absl::StatusOr<WriteAck> Append(const std::vector<Logged>& rows, bool all_or_nothing = false) {
    AppendBatch batch;
    batch.options.list_every_row = true;
    batch.options.all_or_nothing = all_or_nothing;
    for (const Logged& logged : rows) {
      LogRecord record;
      LogRow& row = record.row;
      row.kind = logged.tracking_kind == 0 ? LogKind::kDelivery : LogKind::kTracking;
      row.delivery = "summer";
      row.broadlog_id = logged.broadlog_id;
      row.tracking_log_id = logged.tracking_kind == 0 ? 0 : ++tracked_;
      row.tracking_kind = logged.tracking_kind;
      row.status = logged.tracking_kind == 0 ? logged.status : 0;
      row.failure_type = logged.failure_type;
      row.event_us = now_us() - 1'000'000;
      row.url = logged.url;
      row.reason_message = logged.reason;
      row.profile = logged.profile;
      if (!logged.address.empty()) {
        row.identity_namespace = "email";
        row.identity_ns = email;
        row.identity = logged.address;
      }
      batch.rows.push_back(record);
    }
    return Await<WriteAck>(
        [&](storage::Done<WriteAck>& done) { return instance().logs().SubmitAppend(batch, done); });
  }
  // One line per row of the log: kind, message, identity, url, reason, profile.
  std::vector<std::string> Log() {
    std::vector<std::string> rows;
    const auto page = instance().logs().ReadLogs(
        {}, 0, 1'000, 10'000,
        [&](const LogRow& row) {
          rows.push_back(absl::StrCat(row.kind == LogKind::kDelivery ? "d" : "t", row.broadlog_id,
                                      " ", std::string(row.identity), " ", std::string(row.url),
                                      " ", std::string(row.reason_message), " ", row.profile));
          return false;
        },
        {});
    EXPECT_TRUE(page.ok()) << page.status();
    return rows;
  }

  // Everything that is in the files of the instance, byte by byte.
  std::string Bytes() const {
    std::ostringstream bytes;
    for (const char* file : {"profiles.db", "profiles.db-wal", "logs.db", "logs.db-wal"}) {
      bytes << std::ifstream(FilePath(file), std::ios::binary).rdbuf();
    }
    return bytes.str();
  }
  std::string Journal() const {
    std::ostringstream text;
    text << std::ifstream(options_.erasure_journal).rdbuf();
    return text.str();
  }
  void WriteJournal(const std::string& text) const {
    std::ofstream(options_.erasure_journal, std::ios::binary | std::ios::trunc) << text;
  }

  TempDirectory journal_folder_;

 private:
  int64_t tracked_ = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_PRIVACY_FIXTURE_H_
