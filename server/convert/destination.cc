#include "server/convert/destination.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using Wire = v1::Destination;

// An enum field: unspecified stands for `otherwise`, unknown numbers are refused.
template <class Stored>
struct EnumField {
  const char* name;
  int got;
  bool valid;
  Stored otherwise;
};
template <class Stored>
absl::StatusOr<Stored> ReadEnum(const std::string& path, const EnumField<Stored>& field) {
  if (field.got == 0) return field.otherwise;
  if (field.valid) return static_cast<Stored>(field.got);
  return errors::FieldInvalid(
      {absl::StrCat(path, ".", field.name),
       absl::StrCat("got ", field.got, ", wanted one of the values that the API names")});
}

absl::Status Twice(const std::string& field, const std::string& what) {
  return errors::FieldInvalid(
      {field, absl::StrCat("got ", Quoted(what), " twice, wanted it once")});
}

absl::Status CheckCount(const std::string& field, int count, int limit) {
  if (count <= limit) return absl::OkStatus();
  return errors::FieldInvalid({field, absl::StrCat(count, " entries, limit ", limit)});
}

absl::StatusOr<storage::DestinationAudience> ReadPair(const v1::DestinationAudience& pair,
                                                      const std::string& path) {
  const std::string source_field = absl::StrCat(path, ".source_id");
  RETURN_IF_ERROR(CheckRequiredLabel({source_field, pair.source_id()}));
  storage::DestinationAudience read;
  read.source_id = pair.source_id();
  read.audience = pair.audience();
  if (!read.audience.empty()) {
    RETURN_IF_ERROR(CheckId(IdForm::kResource, {absl::StrCat(path, ".audience"), read.audience}));
    return read;
  }
  read.audience = DeriveAudienceId(pair.source_id());
  if (IsId(IdForm::kResource, read.audience)) return read;
  return errors::FieldInvalid(
      {absl::StrCat(path, ".audience"),
       absl::StrCat("empty, and source_id makes an id of ", read.audience.size(),
                    " bytes, wanted 1 to ", kMaxIdBytes, ": name an audience")});
}

absl::Status ReadAudiences(const Wire& destination, storage::Destination* read) {
  RETURN_IF_ERROR(
      CheckCount("destination.audiences", destination.audiences_size(), kMaxDestinationAudiences));
  std::set<std::string> source_ids;
  std::set<std::string> audiences;
  for (int i = 0; i < destination.audiences_size(); ++i) {
    const std::string path = absl::StrCat("destination.audiences[", i, "]");
    ASSIGN_OR_RETURN(storage::DestinationAudience pair, ReadPair(destination.audiences(i), path));
    if (!source_ids.insert(pair.source_id).second) {
      return Twice(absl::StrCat(path, ".source_id"), pair.source_id);
    }
    if (!audiences.insert(pair.audience).second) {
      return Twice(absl::StrCat(path, ".audience"), pair.audience);
    }
    read->audiences.push_back(std::move(pair));
  }
  return absl::OkStatus();
}

// The attribute or the identity that a mapping writes.
absl::Status ReadAttributeTarget(const v1::FieldMapping& mapping, const std::string& path,
                                 const storage::Schema& schema, storage::FieldMapping* read) {
  const std::string field = absl::StrCat(path, ".attribute");
  const storage::Attribute* attribute = schema.FindAttribute(mapping.attribute());
  if (attribute == nullptr) {
    return errors::UnknownAttribute(
        {field, absl::StrCat("unknown attribute ", Quoted(mapping.attribute()))});
  }
  if (attribute->read_only_for_sync) {
    return errors::AttributeNotWritable(
        {field, absl::StrCat(Quoted(attribute->id), " is not writable by sync")});
  }
  if (read->transform != storage::Transform::kNone &&
      attribute->type != storage::AttributeType::kString) {
    return errors::FieldInvalid(
        {absl::StrCat(path, ".transform"),
         absl::StrCat("got one for ", Quoted(attribute->id), ", which is no string")});
  }
  read->attribute = attribute->id;
  read->attribute_number = attribute->number;
  return absl::OkStatus();
}

absl::Status ReadIdentityTarget(const v1::FieldMapping& mapping, const std::string& path,
                                const storage::Schema& schema, storage::FieldMapping* read) {
  const std::string field = absl::StrCat(path, ".writable_identity");
  const storage::IdentityNamespace* ns = schema.FindNamespace(mapping.writable_identity());
  if (ns == nullptr) {
    return errors::UnknownNamespace(
        {field, absl::StrCat("unknown namespace ", Quoted(mapping.writable_identity()))});
  }
  if (!ns->derived_from.empty()) {
    return errors::FieldInvalid(
        {field, absl::StrCat("got ", Quoted(ns->id), ", which the server derives; wanted ",
                             Quoted(ns->derived_from))});
  }
  read->writable_identity = ns->id;
  read->namespace_number = ns->number;
  return absl::OkStatus();
}

absl::StatusOr<storage::FieldMapping> ReadMapping(const v1::FieldMapping& mapping,
                                                  const std::string& path,
                                                  const storage::Schema& schema) {
  RETURN_IF_ERROR(
      CheckRequiredLabel({absl::StrCat(path, ".source_field"), mapping.source_field()}));
  storage::FieldMapping read;
  read.source_field = mapping.source_field();
  read.mandatory = mapping.mandatory();
  ASSIGN_OR_RETURN(
      read.transform,
      ReadEnum<storage::Transform>(path, {"transform", mapping.transform(),
                                          v1::FieldMapping::Transform_IsValid(mapping.transform()),
                                          storage::Transform::kNone}));
  // The wire counts from 1 after "unspecified", the store from 0.
  if (!v1::FieldMapping::MergePolicy_IsValid(mapping.merge_policy())) {
    return errors::FieldInvalid(
        {absl::StrCat(path, ".merge_policy"),
         absl::StrCat("got ", static_cast<int>(mapping.merge_policy()), ", wanted a MergePolicy")});
  }
  const int policy = mapping.merge_policy() == 0 ? 1 : mapping.merge_policy();
  read.policy = static_cast<storage::MergePolicy>(policy - 1);
  switch (mapping.target_case()) {
    case v1::FieldMapping::kAttribute:
      RETURN_IF_ERROR(ReadAttributeTarget(mapping, path, schema, &read));
      return read;
    case v1::FieldMapping::kWritableIdentity:
      RETURN_IF_ERROR(ReadIdentityTarget(mapping, path, schema, &read));
      return read;
    case v1::FieldMapping::TARGET_NOT_SET:
      break;
  }
  return errors::FieldRequired(absl::StrCat(path, ".attribute"));
}

absl::Status ReadMappings(const Wire& destination, const storage::Schema& schema,
                          storage::Destination* read) {
  if (read->sync_type == storage::SyncType::kProfileSync && destination.mappings().empty()) {
    return errors::FieldRequired("destination.mappings");
  }
  RETURN_IF_ERROR(CheckCount("destination.mappings", destination.mappings_size(), kMaxMappings));
  std::set<std::string> source_fields;
  std::set<std::pair<bool, std::string>> targets;
  for (int i = 0; i < destination.mappings_size(); ++i) {
    const std::string path = absl::StrCat("destination.mappings[", i, "]");
    ASSIGN_OR_RETURN(storage::FieldMapping mapping,
                     ReadMapping(destination.mappings(i), path, schema));
    if (!source_fields.insert(mapping.source_field).second) {
      return Twice(absl::StrCat(path, ".source_field"), mapping.source_field);
    }
    const bool is_attribute = mapping.writable_identity.empty();
    const std::string& target = is_attribute ? mapping.attribute : mapping.writable_identity;
    if (!targets.emplace(is_attribute, target).second) {
      return Twice(absl::StrCat(path, is_attribute ? ".attribute" : ".writable_identity"), target);
    }
    read->mappings.push_back(std::move(mapping));
  }
  return absl::OkStatus();
}

absl::Status ReadNamespaceOrder(const Wire& destination, const storage::Schema& schema,
                                storage::Destination* read) {
  std::set<std::string> seen;
  for (int i = 0; i < destination.namespace_order_size(); ++i) {
    const std::string& id = destination.namespace_order(i);
    const std::string field = absl::StrCat("destination.namespace_order[", i, "]");
    if (schema.FindNamespace(id) == nullptr) {
      return errors::UnknownNamespace({field, absl::StrCat("unknown namespace ", Quoted(id))});
    }
    if (!seen.insert(id).second) return Twice(field, id);
    read->namespace_order.push_back(id);
  }
  return absl::OkStatus();
}

absl::Status ReadSyncType(const Wire& destination, storage::Destination* read) {
  if (destination.sync_type() == Wire::SYNC_TYPE_UNSPECIFIED) {
    return errors::FieldRequired("destination.sync_type");
  }
  ASSIGN_OR_RETURN(
      read->sync_type,
      ReadEnum<storage::SyncType>("destination", {"sync_type", destination.sync_type(),
                                                  Wire::SyncType_IsValid(destination.sync_type()),
                                                  storage::SyncType::kProfileSync}));
  return absl::OkStatus();
}

absl::Status ReadRules(const Wire& destination, storage::Destination* read) {
  const std::string path = "destination";
  ASSIGN_OR_RETURN(read->target,
                   ReadEnum<storage::Target>(path, {"target", destination.target(),
                                                    Wire::Target_IsValid(destination.target()),
                                                    storage::Target::kRecipients}));
  ASSIGN_OR_RETURN(
      read->on_conflict,
      ReadEnum<storage::OnConflict>(path, {"on_conflict", destination.on_conflict(),
                                           Wire::OnConflict_IsValid(destination.on_conflict()),
                                           storage::OnConflict::kAmbiguous}));
  ASSIGN_OR_RETURN(read->on_unknown, ReadEnum<storage::OnUnknown>(
                                         path, {"on_unknown", destination.on_unknown(),
                                                Wire::OnUnknown_IsValid(destination.on_unknown()),
                                                storage::OnUnknown::kReport}));
  ASSIGN_OR_RETURN(read->on_unmap,
                   ReadEnum<storage::OnUnmap>(path, {"on_unmap", destination.on_unmap(),
                                                     Wire::OnUnmap_IsValid(destination.on_unmap()),
                                                     storage::OnUnmap::kExit}));
  read->record_applied = destination.record_applied_rows();
  if (read->sync_type == storage::SyncType::kProfileSync &&
      read->on_unknown != storage::OnUnknown::kReport) {
    return errors::FieldInvalid(
        {"destination.on_unknown",
         absl::StrCat("got ", Wire::OnUnknown_Name(destination.on_unknown()),
                      ", wanted ON_UNKNOWN_REPORT: a profile sync never creates a profile")});
  }
  return absl::OkStatus();
}

void ShowMapping(const storage::FieldMapping& mapping, v1::FieldMapping* shown) {
  shown->set_source_field(mapping.source_field);
  if (mapping.writable_identity.empty()) {
    shown->set_attribute(mapping.attribute);
  } else {
    shown->set_writable_identity(mapping.writable_identity);
  }
  shown->set_transform(static_cast<v1::FieldMapping::Transform>(mapping.transform));
  shown->set_mandatory(mapping.mandatory);
  shown->set_merge_policy(
      static_cast<v1::FieldMapping::MergePolicy>(static_cast<int>(mapping.policy) + 1));
}

}  // namespace

v1::Destination ToProto(const InstanceName& instance, const storage::Destination& destination) {
  Wire shown;
  shown.set_name(ToText(DestinationName{instance.instance, destination.id}));
  shown.set_display_name(destination.display_name);
  shown.set_target(static_cast<Wire::Target>(destination.target));
  shown.set_sync_type(static_cast<Wire::SyncType>(destination.sync_type));
  for (const storage::DestinationAudience& pair : destination.audiences) {
    v1::DestinationAudience* added = shown.add_audiences();
    added->set_source_id(pair.source_id);
    added->set_audience(pair.audience);
  }
  for (const storage::FieldMapping& mapping : destination.mappings) {
    ShowMapping(mapping, shown.add_mappings());
  }
  for (const std::string& id : destination.namespace_order) shown.add_namespace_order(id);
  shown.set_on_conflict(static_cast<Wire::OnConflict>(destination.on_conflict));
  shown.set_on_unknown(static_cast<Wire::OnUnknown>(destination.on_unknown));
  shown.set_on_unmap(static_cast<Wire::OnUnmap>(destination.on_unmap));
  shown.set_record_applied_rows(destination.record_applied);
  shown.set_state(static_cast<Wire::State>(destination.state));
  *shown.mutable_create_time() = ToTimestamp(destination.create_us);
  *shown.mutable_update_time() = ToTimestamp(destination.update_us);
  shown.set_etag(destination.etag);
  return shown;
}

absl::StatusOr<storage::Destination> ReadDestination(const v1::Destination& destination,
                                                     std::string id,
                                                     const storage::Schema& schema) {
  storage::Destination read;
  read.id = std::move(id);
  RETURN_IF_ERROR(CheckLabel({"destination.display_name", destination.display_name()}));
  read.display_name = destination.display_name();
  RETURN_IF_ERROR(ReadSyncType(destination, &read));
  RETURN_IF_ERROR(ReadRules(destination, &read));
  RETURN_IF_ERROR(ReadAudiences(destination, &read));
  RETURN_IF_ERROR(ReadMappings(destination, schema, &read));
  RETURN_IF_ERROR(ReadNamespaceOrder(destination, schema, &read));
  return read;
}

std::string DeriveAudienceId(std::string_view source_id) {
  std::string id;
  for (const char c : source_id) {
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    const bool kept = absl::ascii_islower(lower) || absl::ascii_isdigit(lower) || lower == '_';
    const char made = kept ? lower : '-';
    if (id.empty() && (made == '-' || made == '_')) continue;
    id.push_back(made);
  }
  return id;
}

}  // namespace passerelle
