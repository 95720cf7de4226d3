#include "server/convert/audit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/access.h"
#include "server/convert/acks.h"
#include "server/convert/names.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "server/limits.h"
#include "storage/status.h"
#include "storage/store_keys.h"

namespace passerelle {
namespace {

constexpr int kMostHeads = 10'000;
constexpr std::size_t kMostMethodBytes = 128;

// "Service/Method".
bool IsMethod(const std::string& text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  return text.size() <= kMostMethodBytes && parts.size() == 2 &&
         std::all_of(parts.begin(), parts.end(), [](absl::string_view part) {
           return !part.empty() && std::all_of(part.begin(), part.end(),
                                               [](char c) { return absl::ascii_isalnum(c); });
         });
}

bool IsCallId(const std::string& text) {
  return text.size() <= kMaxCallIdBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

absl::StatusOr<int64_t> ReadTime(const google::protobuf::Timestamp& time, const char* field) {
  const std::optional<int64_t> us = MicrosOf(time);
  if (us.has_value()) return *us;
  return errors::FieldInvalid({field, "not a time of the years 1 to 9999"});
}

bool IsMac(const std::string& text) {
  return text.size() == 2 * storage::kAuditMacBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isxdigit(c); });
}

absl::StatusOr<storage::AuditHead> ReadHead(const v1::AuditHead& head, const std::string& path) {
  if (!storage::AuditChainNamed(head.chain()).has_value()) {
    return errors::FieldInvalid({absl::StrCat(path, ".chain"),
                                 absl::StrCat("got ", Quoted(head.chain()),
                                              ", wanted control, instances/{instance}/profiles or "
                                              "instances/{instance}/logs")});
  }
  if (head.number() < 0) {
    return errors::FieldInvalid(
        {absl::StrCat(path, ".number"), absl::StrCat("got ", head.number(), ", wanted 0 or more")});
  }
  const bool is_none = head.number() == 0 && head.mac().empty();
  if (!is_none && !IsMac(head.mac())) {
    return errors::FieldInvalid(
        {absl::StrCat(path, ".mac"),
         absl::StrCat("got ", head.mac().size(), " characters, wanted 64 hexadecimal digits")});
  }
  return storage::AuditHead{head.chain(), head.number(), absl::HexStringToBytes(head.mac())};
}

}  // namespace

void WriteAuditEntry(const storage::AuditEntry& entry, v1::AuditEntry* out) {
  out->set_chain(entry.chain);
  out->set_number(entry.number);
  SetMicros(entry.commit_us, out->mutable_commit_time());
  out->set_commit_sequence(entry.sequence);
  out->set_kind(static_cast<v1::AuditEntry::Kind>(entry.kind));
  if (!entry.act.caller.empty()) out->set_caller(CredentialName(entry.act.caller));
  out->set_method(entry.act.method);
  out->set_call_id(entry.act.call_id);
  out->set_resource(entry.act.resource);
  out->set_more_resources(entry.act.more_resources);
  WriteCounts(entry.counts, out->mutable_counts());
  out->set_exported_rows(entry.exported_rows);
}

void WriteAuditHead(const storage::AuditHead& head, v1::AuditHead* out) {
  out->set_chain(head.chain);
  out->set_number(head.number);
  out->set_mac(absl::BytesToHexString(head.mac));
}

void WriteAuditFinding(const storage::AuditFinding& finding,
                       v1::VerifyAuditTrailResponse::Finding* out) {
  out->set_kind(static_cast<v1::VerifyAuditTrailResponse::Finding::Kind>(finding.kind));
  out->set_chain(finding.chain);
  out->set_number(finding.number);
  out->set_text(finding.text);
}

absl::StatusOr<std::string> ReadAuditParent(const std::string& parent) {
  if (parent.empty()) return std::string();
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({"parent", parent}));
  return name.instance;
}

absl::StatusOr<storage::AuditQuery> ReadAuditQuery(const v1::ListAuditEntriesRequest& request) {
  storage::AuditQuery query;
  ASSIGN_OR_RETURN(query.instance, ReadAuditParent(request.parent()));
  if (!request.caller().empty()) {
    ASSIGN_OR_RETURN(query.caller, ParseCredentialName({"caller", request.caller()}));
  }
  if (!request.method().empty() && !IsMethod(request.method())) {
    return errors::FieldInvalid(
        {"method", absl::StrCat("got ", Quoted(request.method()), ", wanted Service/Method")});
  }
  if (!IsCallId(request.call_id())) {
    return errors::FieldInvalid(
        {"call_id", absl::StrCat("got ", Quoted(request.call_id()), ", wanted at most ",
                                 kMaxCallIdBytes, " letters, digits, '.', '_' and '-'")});
  }
  query.method = request.method();
  query.call_id = request.call_id();
  if (request.has_start_time()) {
    ASSIGN_OR_RETURN(query.start_us, ReadTime(request.start_time(), "start_time"));
  }
  if (request.has_end_time()) {
    ASSIGN_OR_RETURN(query.end_us, ReadTime(request.end_time(), "end_time"));
  }
  return query;
}

absl::StatusOr<std::vector<storage::AuditHead>> ReadAuditHeads(
    const v1::VerifyAuditTrailRequest& request) {
  if (request.known_heads_size() > kMostHeads) {
    return errors::FieldInvalid(
        {"known_heads", absl::StrCat("got ", request.known_heads_size(), ", limit ", kMostHeads)});
  }
  std::vector<storage::AuditHead> heads;
  for (int i = 0; i < request.known_heads_size(); ++i) {
    ASSIGN_OR_RETURN(storage::AuditHead head,
                     ReadHead(request.known_heads(i), absl::StrCat("known_heads[", i, "]")));
    heads.push_back(std::move(head));
  }
  return heads;
}

std::string TextOf(const storage::AuditPlace& place) {
  return absl::StrCat(place.commit_us, " ", place.number, " ", place.chain);
}

std::optional<storage::AuditPlace> ReadAuditPlace(std::string_view text) {
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(text.data(), text.size()), ' ');
  storage::AuditPlace place;
  const bool read = parts.size() == 3 && absl::SimpleAtoi(parts[0], &place.commit_us) &&
                    absl::SimpleAtoi(parts[1], &place.number);
  if (!read) return std::nullopt;
  place.chain = parts[2];
  return place;
}

}  // namespace passerelle
