#include "storage/sqlite/audit_walk.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

using Kind = AuditFinding::Kind;

// Some milliseconds of reading and hashing.
constexpr int64_t kPageRows = 1'000;

constexpr char kAdvice[] =
    "; find out who can write the file, and compare with a backup that is kept elsewhere";

}  // namespace

AuditWalk::AuditWalk(std::string chain, const StoreKeys* keys)
    : chain_(std::move(chain)), keys_(keys) {}

void AuditWalk::Add(Kind kind, int64_t number, std::string text,
                    std::vector<AuditFinding>& findings) const {
  findings.push_back({kind, chain_, number, std::move(text)});
}

void AuditWalk::AddToRun(const AuditRow& row, std::vector<AuditFinding>& findings) {
  if (run_.has_value() && run_->key != row.key) EndRun(true, findings);
  if (!run_.has_value()) run_ = KeylessRun{row.key, row.number, row.number};
  run_->last = row.number;
}

// Who has no key may say that an entry has one that is not there; then others that can be checked
// come after it, or after others like it.
void AuditWalk::EndRun(bool is_last, std::vector<AuditFinding>& findings) {
  if (!run_.has_value()) return;
  std::string text = absl::StrFormat(
      "entries %d to %d say that they were made with master key %08x, which is not in the key "
      "file, so that they cannot be checked; put that key back into the key file",
      run_->first, run_->last, run_->key);
  if (!is_last) {
    absl::StrAppend(&text, "; if there never was such a key, they were changed", kAdvice);
  }
  Add(Kind::kKeyMissing, run_->first, std::move(text), findings);
  findings.back().others_follow = !is_last;
  run_.reset();
}

void AuditWalk::Begin(Database& db) {
  end_ = LoadAuditEnd(db);
  last_ = LastAuditNumber(db);
  beyond_end_ = AuditNumberBeyondEnd(db);
  last_seq_ = MetaNumber(db, "next_seq").value_or(0) - 1;
  is_new_ = last_seq_ <= kSequencesWithoutTrail;
  begun_ = true;
}

// What a page finds is told, and its place kept, only once all of it is read.
bool AuditWalk::Step(Database& db, std::vector<AuditFinding>& findings) {
  if (!begun_) Begin(db);
  const std::vector<AuditRow> rows = LoadAuditRows(db, {read_to_, last_, kPageRows}, {});
  for (const AuditRow& row : rows) Judge(row, findings);
  if (!rows.empty()) read_to_ = rows.back().number;
  entries_read_ += static_cast<int64_t>(rows.size());
  if (static_cast<int64_t>(rows.size()) == kPageRows) return true;
  JudgeEnd(findings);
  EndRun(true, findings);
  return false;
}

void AuditWalk::Judge(const AuditRow& row, std::vector<AuditFinding>& findings) {
  if (row.number < 1) {
    return Add(Kind::kChanged, row.number,
               absl::StrCat("no entry that the server wrote has this number", kAdvice), findings);
  }
  JudgeExpected(row, findings);
  const int64_t wanted = previous_.number + 1;
  const bool after_gap = row.number > wanted;
  if (after_gap) {
    Add(Kind::kMissing, row.number,
        absl::StrCat("entries ", wanted, " to ", row.number - 1, " are missing in front of it",
                     kAdvice),
        findings);
  }
  if (keys_ != nullptr) JudgeMac(row, after_gap, findings);
  previous_.number = row.number;
  previous_.stored = row.mac;
}

void AuditWalk::JudgeMac(const AuditRow& row, bool after_gap, std::vector<AuditFinding>& findings) {
  const auto mac_after = [&](std::string_view previous) {
    return AuditRowMac(*keys_, {chain_, previous}, row);
  };
  const std::string mac = mac_after(previous_.stored);
  if (mac.empty()) {
    AddToRun(row, findings);
    previous_.computed = row.mac;
    return;
  }
  EndRun(false, findings);
  // What one finding told already is not told again: that the MAC of the one before was changed, or
  // that it is gone, without which this one cannot be checked.
  const bool sound = mac == row.mac || mac_after(previous_.computed) == row.mac;
  previous_.computed = sound || after_gap ? row.mac : mac;
  if (sound || after_gap) return;
  if (mac_after(BrokenLinkMac()) == row.mac) {
    previous_.computed = row.mac;
    return Add(Kind::kMissing, row.number,
               absl::StrCat("it does not follow the one before: when it was written, the end of "
                            "the chain was not as the server had left it",
                            kAdvice),
               findings);
  }
  Add(Kind::kChanged, row.number,
      absl::StrCat("it or its MAC was changed, or stood elsewhere when it was written", kAdvice),
      findings);
}

void AuditWalk::JudgeExpected(const AuditRow& row, std::vector<AuditFinding>& findings) const {
  const auto expected = expected_.find(row.number);
  if (expected == expected_.end()) return;
  if (expected->second.size() == 1 && *expected->second.begin() == row.mac) return;
  Add(Kind::kHeadLost, row.number,
      absl::StrCat("the known head has another MAC: an older state of the file was put back and "
                   "went on differently, or the chain was made anew",
                   kAdvice),
      findings);
}

void AuditWalk::JudgeEnd(std::vector<AuditFinding>& findings) {
  for (const auto& [number, macs] : expected_) {
    if (number <= previous_.number) continue;
    Add(Kind::kHeadLost, number,
        absl::StrCat("the known head is not there, the chain ends at ", previous_.number,
                     ": an older state of the file was put back, or the chain was made anew",
                     kAdvice),
        findings);
  }
  if (beyond_end_.has_value()) {
    Add(Kind::kChanged, *beyond_end_,
        absl::StrCat("no entry that the server wrote has this number", kAdvice), findings);
  }
  if (end_.end.has_value()) return JudgeEndNote(*end_.end, findings);
  const bool may_lack = !end_.present && entries_read_ == 0 && (keys_ == nullptr || is_new_);
  if (may_lack) return;
  Add(Kind::kCutOff, previous_.number,
      absl::StrCat(
          "the file does not say where its chain ends: what it said was removed or changed",
          kAdvice),
      findings);
}

void AuditWalk::JudgeEndNote(const AuditEnd& end, std::vector<AuditFinding>& findings) {
  if (end.number > previous_.number) {
    return Add(Kind::kCutOff, previous_.number,
               absl::StrCat("entries ", previous_.number + 1, " to ", end.number,
                            " are missing at the end", kAdvice),
               findings);
  }
  if (end.number < previous_.number) {
    return Add(Kind::kCutOff, previous_.number,
               absl::StrCat("the file says that its chain ends at ", end.number,
                            ": what comes after was added by somebody else, or the end was changed",
                            kAdvice),
               findings);
  }
  if (keys_ != nullptr) JudgeEndMac(end, findings);
}

void AuditWalk::JudgeEndMac(const AuditEnd& end, std::vector<AuditFinding>& findings) {
  const std::string mac = AuditEndMac(*keys_, chain_, end);
  if (mac.empty()) {
    const bool keyless = run_.has_value();
    const bool same = keyless && run_->key == end.key;
    EndRun(true, findings);
    if (same) return;
    Add(Kind::kKeyMissing, end.number,
        absl::StrFormat("what the file says of the end of its chain was made with master key %08x, "
                        "which is not in the key file, so that it cannot be checked; put that key "
                        "back into the key file",
                        end.key),
        findings);
    findings.back().others_follow = end.number > 0 && !keyless;
    return;
  }
  EndRun(false, findings);
  const auto tell = [&](std::string_view what) {
    Add(Kind::kCutOff, previous_.number, absl::StrCat(std::string(what), kAdvice), findings);
  };
  if (mac != end.end_mac) return tell("what the file says of the end of its chain was changed");
  if (end.seq != last_seq_) {
    return tell(absl::StrCat("what the file says of the end of its chain is of sequence ", end.seq,
                             ", the file is at ", last_seq_,
                             ": it was put back, or something was written that is not told"));
  }
  if (end.mac == previous_.stored || end.mac == previous_.computed) return;
  tell("when the file was written last, the end of the chain was not as the server had left it");
}

}  // namespace passerelle::storage::sqlite
