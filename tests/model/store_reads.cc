#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tests/model/store_system.h"

namespace passerelle::model {
namespace {

using storage::AttributeType;
using storage::Cell;
using storage::Exclusion;

constexpr const char* kExclusions[] = {
    "",           "DELETED",     "OPTED_OUT", "NO_OPT_IN", "MANDATORY_MISSING",
    "SUPPRESSED", "QUARANTINED", "DENYLISTED"};
constexpr const char* kShownNamespaces[] = {"external_id", "email", "email_sha256"};

Cell CellOf(const storage::OwnedCell& cell) {
  return {cell.kind, cell.integer, cell.real, cell.text};
}

}  // namespace

std::string StoreSystem::CellText(const Cell& cell, AttributeType type) const {
  if (cell.kind == Cell::Kind::kNull) return "null";
  if (cell.kind == Cell::Kind::kText) return absl::StrCat("'", std::string(cell.text), "'");
  if (cell.kind == Cell::Kind::kDouble) return absl::StrCat("'", cell.real, "'");
  if (type == AttributeType::kBool) return cell.integer == 1 ? "'true'" : "'false'";
  return absl::StrCat("'", cell.integer, "'");
}

std::string StoreSystem::ReadProfiles() {
  std::string text = "OK\n";
  const auto schema = instance().schema().schema();
  const auto profiles = instance().profiles().ListProfiles({}, 10'000, {});
  if (!profiles.ok()) return TextOf(profiles.status());
  for (const storage::Profile& profile : *profiles) {
    absl::StrAppend(&text, "  #", names_.of[profile.id.value],
                    profile.known ? " known" : " unknown");
    std::map<std::string, std::string> sorted;
    for (const auto& [ns, value] : profile.identities) {
      const auto* found = schema->FindNamespace(ns);
      sorted[absl::StrCat(found == nullptr ? "?" : found->id, ":", value)];
    }
    for (const auto& [identity, nothing] : sorted) absl::StrAppend(&text, " ", identity);
    sorted.clear();
    for (const auto& [number, cell] : profile.attributes) {
      const auto* attribute = schema->FindAttribute(number);
      absl::StrAppend(&sorted[attribute->id], " ", attribute->id, "=",
                      CellText(CellOf(cell), attribute->type));
    }
    for (const auto& [number, us] : profile.attribute_times_us) {
      const auto* attribute = schema->FindAttribute(number);
      absl::StrAppend(&sorted[attribute->id], " ", attribute->id, "@", times_(us));
    }
    for (const auto& [id, shown] : sorted) absl::StrAppend(&text, shown);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

storage::Output StoreSystem::OutputOf(const Operation& question) {
  const auto schema = instance().schema().schema();
  storage::Output output;
  output.channel = question.channel;
  output.purpose = question.purpose;
  for (const std::string& field : question.fields) {
    output.attributes.push_back(schema->FindAttribute(field)->number);
  }
  if (question.altered && !output.attributes.empty()) {
    output.mandatory.push_back(output.attributes.front());
  }
  for (const char* ns : kShownNamespaces) {
    output.namespaces.push_back(schema->FindNamespace(ns)->number);
  }
  return output;
}

std::string StoreSystem::ShownOf(const storage::MemberRow& row, const Operation& question) {
  const auto schema = instance().schema().schema();
  std::string text;
  for (size_t i = 0; i < row.identities.size(); ++i) {
    absl::StrAppend(&text, " ", kShownNamespaces[i], ":", std::string(row.identities[i]));
  }
  for (size_t i = 0; i < row.cells.size(); ++i) {
    absl::StrAppend(&text, " ", question.fields[i], "=",
                    CellText(row.cells[i], schema->FindAttribute(question.fields[i])->type));
  }
  return text;
}

absl::Status StoreSystem::ReadAll(const storage::AudienceMoment& moment,
                                  const storage::Output& output, int limit,
                                  storage::MemberSink sink) {
  std::optional<storage::MemberPosition> position = storage::MemberPosition{};
  while (position.has_value()) {
    ASSIGN_OR_RETURN(
        position, instance().audiences().ReadMembers(moment, output, *position, limit, sink, {}));
  }
  return absl::OkStatus();
}

std::string StoreSystem::ReadMembers(const Operation& op) {
  const auto moment = instance().audiences().MomentOf(op.audience, std::nullopt, {});
  if (!moment.ok()) return TextOf(moment.status());
  std::vector<storage::Output> reaches(3);
  reaches[0].channel = reaches[1].channel = "email";
  reaches[1].purpose = "promo";
  reaches[2].channel = "sms";
  const auto count = instance().audiences().CountMembers(*moment, reaches, {});
  if (!count.ok()) return TextOf(count.status());
  std::string text = absl::StrCat("OK members=", count->members, "\n");
  for (const auto& reach : count->reaches) {
    std::map<std::string, int64_t> told;
    if (reach.reachable != 0) told["reachable"] = reach.reachable;
    for (int i = 1; i < storage::kExclusions; ++i) {
      if (reach.excluded[i] != 0) told[kExclusions[i]] = reach.excluded[i];
    }
    absl::StrAppend(&text, "  ", reach.channel, "/", reach.purpose);
    for (const auto& [what, number] : told) absl::StrAppend(&text, " ", what, "=", number);
    absl::StrAppend(&text, "\n");
  }
  const absl::Status read =
      ReadAll(*moment, OutputOf(op), op.limit, [&](const storage::MemberRow& row) {
        absl::StrAppend(&text, "  #", names_.of[row.profile.value], " at ",
                        times_(row.qualified_us));
        const char* exclusion = kExclusions[static_cast<int>(row.exclusion)];
        if (*exclusion != 0) absl::StrAppend(&text, " ", exclusion);
        absl::StrAppend(&text, ShownOf(row, op), "\n");
      });
  return read.ok() ? text : TextOf(read);
}

std::string StoreSystem::TakeNote(const Operation& op) {
  const auto moment = instance().audiences().MomentOf(op.audience, std::nullopt, {});
  if (!moment.ok()) return TextOf(moment.status());
  Note note{*moment, op, {}};
  const absl::Status read =
      ReadAll(*moment, OutputOf(op), op.limit, [&](const storage::MemberRow& row) {
        if (row.exclusion != Exclusion::kNone) return;
        note.copy[names_.of[row.profile.value]] = ShownOf(row, op);
      });
  if (!read.ok()) return TextOf(read);
  notes_[op.id] = note;
  return "OK";
}

std::string StoreSystem::ReadNoted(const Operation& op) {
  const auto found = notes_.find(op.id);
  if (found == notes_.end()) return "no note";
  std::string text = "OK\n";
  const absl::Status read =
      ReadAll(found->second.moment, {}, op.limit, [&](const storage::MemberRow& row) {
        absl::StrAppend(&text, "  #", names_.of[row.profile.value], "\n");
      });
  return read.ok() ? text : TextOf(read);
}

std::string StoreSystem::Follow(const Operation& op) {
  const auto found = notes_.find(op.id);
  if (found == notes_.end()) return "no note";
  Note& note = found->second;
  auto now = instance().audiences().MomentOf(note.question.audience, std::nullopt, {});
  if (!now.ok()) return TextOf(now.status());
  if (now->audience != note.moment.audience) return "NOT_FOUND RESOURCE_NOT_FOUND";
  std::optional<storage::MemberPosition> position = storage::MemberPosition{};
  std::unique_ptr<storage::MemberChanges> changes;
  const storage::Output output = OutputOf(note.question);
  while (position.has_value()) {
    // A reader that is broken off and begun again at its position gives the same.
    if (changes == nullptr || op.altered) {
      auto reader = instance().audiences().ReadChanges(note.moment, *now, output, *position);
      if (!reader.ok()) return TextOf(reader.status());
      changes = *std::move(reader);
    }
    const auto next = changes->Next(op.limit,
                                    [&](const storage::MemberRow& row) {
                                      const int name = names_.of[row.profile.value];
                                      const bool leaves =
                                          row.change == storage::MemberChange::kExited ||
                                          row.exclusion != Exclusion::kNone;
                                      if (leaves) note.copy.erase(name);
                                      if (!leaves) note.copy[name] = ShownOf(row, note.question);
                                    },
                                    {});
    if (!next.ok()) return TextOf(next.status());
    position = *next;
  }
  note.moment = *now;
  std::string text = "OK\n";
  for (const auto& [name, shown] : note.copy) absl::StrAppend(&text, "  #", name, shown, "\n");
  return text;
}

std::string StoreSystem::Shown(const storage::LogRow& row) const {
  Entry entry;
  entry.tracking = row.kind == storage::LogKind::kTracking;
  entry.delivery = row.delivery;
  entry.message = row.broadlog_id;
  entry.tracking_id = row.tracking_log_id;
  entry.ns = row.identity_namespace;
  entry.identity = row.identity;
  entry.status = row.status;
  entry.failure_type = row.failure_type;
  entry.failure_reason = row.failure_reason;
  entry.tracking_kind = row.tracking_kind;
  entry.seed = (row.flags & storage::kSeed) != 0;
  std::string text = absl::StrCat("  ", Describe(entry), " @", times_(row.event_us));
  if (times_.exact) absl::StrAppend(&text, " appended ", times_(row.append_us));
  const auto name = names_.of.find(row.profile);
  if (row.profile != 0) {
    absl::StrAppend(&text, " profile ", name == names_.of.end() ? -1 : name->second);
  }
  if ((row.flags & storage::kProfileUnknown) != 0) absl::StrAppend(&text, " unknown");
  return text + "\n";
}

std::string StoreSystem::ReadLogs(const Operation& op) {
  storage::LogFilter filter;
  if (!op.id.empty()) filter.deliveries = {op.id};
  if (!op.audience.empty()) filter.audiences = {op.audience};
  filter.start_us = op.as_of_us;
  if (op.skip == 1) filter.kinds = {storage::LogKind::kDelivery};
  if (op.skip == 2) filter.kinds = {storage::LogKind::kTracking};
  std::string text = "OK\n";
  bool left_out = false;
  const auto tell = [&](const storage::LogRow& row) {
    if (!std::exchange(left_out, false)) absl::StrAppend(&text, Shown(row));
    return false;
  };
  const auto bounds = instance().logs().Bounds({});
  if (!bounds.ok()) return TextOf(bounds.status());
  int64_t after = bounds->earliest - 1;
  for (bool at_end = false; !at_end;) {
    const auto page = instance().logs().ReadLogs(filter, after, op.limit, 50, tell, {});
    if (!page.ok()) return TextOf(page.status());
    after = page->after;
    at_end = page->at_end;
    left_out = planted_.Is(Plant::kExportSkipsARow);
  }
  return text;
}

std::string StoreSystem::ReadReport(const Operation& op) {
  const auto report = instance().logs().Report({op.id}, {});
  if (!report.ok()) return TextOf(report.status());
  std::string text = absl::StrCat("OK sent=", report->sent, " failed=", report->failed,
                                  " pending=", report->pending, " cancelled=", report->cancelled);
  for (const auto& failure : report->failures) {
    absl::StrAppend(&text, " ", failure.type, "/", failure.reason, "=", failure.messages);
  }
  return absl::StrCat(text, " opens=", report->distinct_opens, "/", report->total_opens,
                      " clicks=", report->distinct_clicks, "/", report->total_clicks,
                      " opt_outs=", report->distinct_opt_outs, "/", report->total_opt_outs,
                      " seeds=", report->seeds_and_proofs, " rows=", report->log_rows);
}

}  // namespace passerelle::model
