#include "storage/sqlite/clear_record_keys.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
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

bool IsOfNumber(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
         absl::string_view(" \t+-./()").find(c) != absl::string_view::npos;
}

// Callers take their keys from the same columns as their identities, before those are normalised.
std::set<std::string> FormsOf(absl::string_view record_key) {
  const std::string trimmed(absl::StripAsciiWhitespace(record_key));
  std::set<std::string> forms = {std::string(record_key), trimmed, absl::AsciiStrToLower(trimmed)};
  if (std::all_of(trimmed.begin(), trimmed.end(), IsOfNumber)) {
    std::string digits = trimmed;
    const auto is_sign = [](unsigned char c) { return !absl::ascii_isdigit(c); };
    digits.erase(std::remove_if(digits.begin(), digits.end(), is_sign), digits.end());
    forms.insert(digits);
    forms.insert("+" + digits);
    if (absl::StartsWith(digits, "00")) forms.insert("+" + digits.substr(2));
  }
  return forms;
}

bool IsOfPerson(const Schema& schema, PersonMatcher& matcher, std::string_view record_key) {
  if (record_key.empty()) return false;
  for (const std::string& form : FormsOf({record_key.data(), record_key.size()})) {
    for (const IdentityNamespace& ns : schema.namespaces()) {
      if (matcher.Matches(ns.number, form)) return true;
    }
  }
  return false;
}

}  // namespace

absl::Status FindRecordKeys(
    const File& file, const Schema& schema, PersonMatcher& matcher, const std::atomic<bool>& stop,
    absl::FunctionRef<absl::Status(const std::vector<OutcomePlace>&)> take) {
  OutcomePlace last;
  for (bool more = true; more;) {
    if (stop) return absl::CancelledError("the instance is being closed");
    std::vector<OutcomePlace> found;
    RETURN_IF_ERROR(file.Read({}, "privacy: record keys", [&](const ReadLease& lease) {
      found.clear();
      OutcomePlace place = last;
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
    if (!found.empty()) RETURN_IF_ERROR(take(found));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ForgetRecordKeys(File& file, const Schema& schema, PersonMatcher& matcher,
                                         const std::atomic<bool>& stop) {
  int64_t forgotten = 0;
  const auto take = [&](const std::vector<OutcomePlace>& found) {
    const auto forget = [&](Transaction& transaction) {
      for (const OutcomePlace& place : found) {
        StatementScope(transaction.db().Prepared(kForget))
            ->BindAll(place.stream, place.offset)
            .Run();
      }
      return absl::OkStatus();
    };
    forgotten += static_cast<int64_t>(found.size());
    return file.Write(forget, WriteKind::kRelieving).status();
  };
  RETURN_IF_ERROR(FindRecordKeys(file, schema, matcher, stop, take));
  return forgotten;
}

}  // namespace passerelle::storage::sqlite
