// A store with keys, whose audit trail tests read in short words.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_AUDIT_FIXTURE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_AUDIT_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/acting.h"
#include "tests/storage/contract/sample_keys.h"
#include "tests/storage/contract/stream_fixture.h"

namespace passerelle::storage {

class AuditContractBase : public StreamContractBase {
 protected:
  static constexpr uint32_t kKey = 7;
  static constexpr const char* kProfiles = "instances/default/profiles";
  static constexpr const char* kLogs = "instances/default/logs";

  void SetUp() override {
    options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{kKey});
    StreamContractBase::SetUp();
  }

  static std::shared_ptr<const Act> Call(const std::string& call_id,
                                         const std::string& method = "Service/Method",
                                         const std::string& caller = "ann") {
    Act act;
    act.caller = caller;
    act.method = method;
    act.call_id = call_id;
    act.resource = "instances/default";
    act.more_resources = 2;
    return std::make_shared<const Act>(std::move(act));
  }
  // An audience, on behalf of a call.
  void MakeAudience(const std::string& id, const std::shared_ptr<const Act>& act) {
    const ActingScope acting(act);
    Audience audience;
    audience.id = id;
    const auto made = instance().audiences().CreateAudience(audience, {});
    EXPECT_TRUE(made.ok()) << made.status();
  }

  AuditPage PageOf(const AuditQuery& query) {
    auto page = store().audit().List(query, {});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? *std::move(page) : AuditPage{};
  }
  // All pages.
  std::vector<AuditEntry> Entries(AuditQuery query = {}) {
    std::vector<AuditEntry> all;
    do {
      AuditPage page = PageOf(query);
      EXPECT_LE(page.entries.size(), static_cast<size_t>(query.limit));
      query.after = page.next;
      for (AuditEntry& entry : page.entries) all.push_back(std::move(entry));
    } while (query.after.has_value());
    return all;
  }
  // "profiles 1 c1": the chain's last part, the number, the call.
  static std::vector<std::string> Words(const std::vector<AuditEntry>& entries) {
    std::vector<std::string> words;
    for (const AuditEntry& entry : entries) {
      const std::string file = entry.chain.substr(entry.chain.rfind('/') + 1);
      words.push_back(absl::StrCat(file, " ", entry.number, " ", entry.act.call_id));
    }
    return words;
  }
  std::vector<std::string> Listed(const AuditQuery& query = {}) { return Words(Entries(query)); }

  struct Verified {
    std::vector<std::string> findings;  // "CHANGED profiles 3"
    std::vector<AuditHead> heads;
    int64_t entries = 0;
  };
  static std::string WordOf(const AuditFinding& finding) {
    constexpr const char* kNames[] = {"?",       "CHANGED",   "MISSING",
                                      "CUT_OFF", "HEAD_LOST", "KEY_MISSING"};
    EXPECT_FALSE(finding.text.empty());
    const std::string file = finding.chain.substr(finding.chain.rfind('/') + 1);
    return absl::StrCat(kNames[static_cast<int>(finding.kind)], " ", file, " ", finding.number);
  }
  Verified Verify(std::vector<AuditHead> known = {}, const std::string& id = "") {
    Verified verified;
    const auto verification = store().audit().Verify(id, std::move(known));
    EXPECT_TRUE(verification.ok()) << verification.status();
    absl::StatusOr<bool> more = verification.ok();
    std::vector<AuditFinding> findings;
    while (more.ok() && *more) more = (*verification)->Step({}, findings);
    EXPECT_TRUE(more.ok()) << more.status();
    for (const AuditFinding& finding : findings) verified.findings.push_back(WordOf(finding));
    if (!verification.ok()) return verified;
    verified.heads = (*verification)->heads();
    verified.entries = (*verification)->entries_read();
    return verified;
  }
  static AuditHead HeadOf(const Verified& verified, const std::string& chain) {
    for (const AuditHead& head : verified.heads) {
      if (head.chain == chain) return head;
    }
    ADD_FAILURE() << "no head of " << chain;
    return {};
  }
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_AUDIT_FIXTURE_H_
