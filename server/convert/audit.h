// The audit trail between wire and store. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "passerelle/v1/audit_service.pb.h"
#include "storage/audit_store.h"

namespace passerelle {

void WriteAuditEntry(const storage::AuditEntry& entry, v1::AuditEntry* out);
void WriteAuditHead(const storage::AuditHead& head, v1::AuditHead* out);
void WriteAuditFinding(const storage::AuditFinding& finding,
                       v1::VerifyAuditTrailResponse::Finding* out);

// Which instance and entries a list asks for; place and limit are left as they are. NAME_INVALID,
// FIELD_INVALID.
absl::StatusOr<storage::AuditQuery> ReadAuditQuery(const v1::ListAuditEntriesRequest& request);
// The id of the parent, if there is one. NAME_INVALID.
absl::StatusOr<std::string> ReadAuditParent(const std::string& parent);
// FIELD_INVALID naming known_heads[i].<field>.
absl::StatusOr<std::vector<storage::AuditHead>> ReadAuditHeads(
    const v1::VerifyAuditTrailRequest& request);

// A place in the list as a page token keeps it; and back: nullopt for anything else.
std::string TextOf(const storage::AuditPlace& place);
std::optional<storage::AuditPlace> ReadAuditPlace(std::string_view text);

}  // namespace passerelle
