#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/audience_rows.h"
#include "storage/sqlite/flows.h"
#include "storage/sqlite/source_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kResource[] = "source";

absl::Status CheckAudiences(Database& db, const Source& source) {
  for (size_t i = 0; i < source.audiences.size(); ++i) {
    if (FindAudience(db, source.audiences[i]).has_value()) continue;
    const std::string field = absl::StrCat("audiences[", i, "]");
    return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                     absl::StrCat(field, ": there is no audience '", source.audiences[i], "'"),
                     {{"field", field}});
  }
  return absl::OkStatus();
}

absl::Status Load(Transaction& transaction, std::string_view id, Source& source) {
  auto present = LoadSource(transaction.db(), id);
  if (!present.has_value()) return MissingError(kResource, id);
  source = *std::move(present);
  return absl::OkStatus();
}

void Store(Transaction& transaction, Source& source) {
  const int64_t revision = transaction.NextSeq();
  source.update_us = transaction.commit_us();
  source.etag = EtagOf(revision);
  StoreSource(transaction.db(), source, revision);
}

}  // namespace

absl::StatusOr<Written<Source>> SqliteFlows::CreateSource(const Source& source,
                                                          const AdminWrite& write) {
  Source result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    if (LoadSource(transaction.db(), source.id).has_value()) {
      return ExistingError(kResource, source.id);
    }
    RETURN_IF_ERROR(CheckAudiences(transaction.db(), source));
    result = source;
    result.number = {transaction.NextSeq()};
    result.state = FlowState::kActive;
    result.create_us = transaction.commit_us();
    Store(transaction, result);
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) {
    return Load(transaction, source.id, result);
  };
  ASSIGN_OR_RETURN(const auto position, WriteAdmin(*context_.profiles, write, decide, present));
  return Written<Source>{std::move(result), position};
}

absl::StatusOr<Written<Source>> SqliteFlows::UpdateSource(const Source& source,
                                                          const AdminWrite& write) {
  Source result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Source before;
    RETURN_IF_ERROR(Load(transaction, source.id, before));
    RETURN_IF_ERROR(CheckEtag(write, before.etag));
    RETURN_IF_ERROR(CheckAudiences(transaction.db(), source));
    result = source;
    result.number = before.number;
    result.schema = before.schema;
    result.state = before.state;
    result.create_us = before.create_us;
    Store(transaction, result);
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) {
    return Load(transaction, source.id, result);
  };
  ASSIGN_OR_RETURN(const auto position, WriteAdmin(*context_.profiles, write, decide, present));
  return Written<Source>{std::move(result), position};
}

absl::StatusOr<Written<Source>> SqliteFlows::SetSourceState(std::string_view id, FlowState state) {
  Source result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(Load(transaction, id, result));
    if (result.state == state) return absl::OkStatus();
    result.state = state;
    Store(transaction, result);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const auto position, context_.profiles->Write(decide, WriteKind::kRelieving));
  return Written<Source>{std::move(result), position};
}

absl::StatusOr<Written<Source>> SqliteFlows::DeleteSource(std::string_view id,
                                                          const AdminWrite& write) {
  Source result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(Load(transaction, id, result));
    RETURN_IF_ERROR(CheckEtag(write, result.etag));
    if (result.state != FlowState::kPaused) return NotPausedError(kResource, id);
    DeleteSourceRow(transaction.db(), result.number);
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) {
    if (!Load(transaction, id, result).ok()) result.id = std::string(id);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const auto position,
                   WriteAdmin(*context_.profiles, write, decide, present, WriteKind::kRelieving));
  return Written<Source>{std::move(result), position};
}

absl::StatusOr<Source> SqliteFlows::GetSource(std::string_view id,
                                              const ReadContext& context) const {
  std::optional<Source> found;
  RETURN_IF_ERROR(context_.profiles->Read(context, "sources: get", [&](const ReadLease& lease) {
    found = LoadSource(lease.db(), id);
    return absl::OkStatus();
  }));
  if (!found.has_value()) return MissingError(kResource, id);
  return *std::move(found);
}

absl::StatusOr<Page<Source>> SqliteFlows::ListSources(const PageRequest& page,
                                                      const ReadContext& context) const {
  Page<Source> result;
  RETURN_IF_ERROR(context_.profiles->Read(context, "sources: list", [&](const ReadLease& lease) {
    result = PageOf(LoadSources(lease.db(), OneMore(page)), page.limit);
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace passerelle::storage::sqlite
