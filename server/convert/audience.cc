#include "server/convert/audience.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/convert/fields.h"
#include "server/convert/readable.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr char kDefaultNamespace[] = "external_id";

absl::Status CheckCount(const std::string& field, int count, int limit) {
  if (count <= limit) return absl::OkStatus();
  return errors::FieldInvalid({field, absl::StrCat(count, " entries, limit ", limit)});
}

template <class Numbers, class Number>
absl::Status AddOnce(const std::string& field, Number number, Numbers* numbers) {
  if (std::find(numbers->begin(), numbers->end(), number) != numbers->end()) {
    return errors::FieldInvalid({field, "named twice, wanted each once"});
  }
  numbers->push_back(number);
  return absl::OkStatus();
}

absl::Status ReadAttributes(const v1::ListMembersRequest& request, const storage::Schema& schema,
                            storage::Output* output) {
  for (int i = 0; i < request.attributes_size(); ++i) {
    const std::string field = absl::StrCat("attributes[", i, "]");
    const storage::Attribute* attribute = schema.FindAttribute(request.attributes(i));
    if (attribute == nullptr) {
      return errors::UnknownAttribute(
          {field, absl::StrCat("unknown attribute ", Quoted(request.attributes(i)))});
    }
    RETURN_IF_ERROR(AddOnce(field, attribute->number, &output->attributes));
  }
  return absl::OkStatus();
}

absl::Status ReadNamespaces(const v1::ListMembersRequest& request, const storage::Schema& schema,
                            storage::Output* output) {
  std::vector<std::string> ids(request.identity_namespaces().begin(),
                               request.identity_namespaces().end());
  if (ids.empty()) ids.push_back(kDefaultNamespace);
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string field = absl::StrCat("identity_namespaces[", i, "]");
    const storage::IdentityNamespace* ns = schema.FindNamespace(ids[i]);
    if (ns == nullptr) {
      return errors::UnknownNamespace({field, absl::StrCat("unknown namespace ", Quoted(ids[i]))});
    }
    RETURN_IF_ERROR(AddOnce(field, ns->number, &output->namespaces));
  }
  return absl::OkStatus();
}

}  // namespace

v1::Audience ToProto(const InstanceName& instance, const storage::Audience& audience) {
  v1::Audience shown;
  shown.set_name(ToText(AudienceName{instance.instance, audience.id}));
  shown.set_display_name(audience.display_name);
  shown.set_kind(static_cast<v1::Audience::Kind>(audience.kind));
  shown.set_generation(audience.generation);
  if (!audience.replacing_stream.empty()) {
    shown.set_replacing_stream(
        ToText(WriteStreamName{instance.instance, audience.replacing_stream}));
  }
  *shown.mutable_create_time() = ToTimestamp(audience.create_us);
  *shown.mutable_update_time() = ToTimestamp(audience.update_us);
  shown.set_etag(audience.etag);
  return shown;
}

absl::StatusOr<storage::Audience> ReadAudience(const v1::Audience& audience, std::string id) {
  RETURN_IF_ERROR(CheckLabel({"audience.display_name", audience.display_name()}));
  if (audience.kind() != v1::Audience::KIND_UNSPECIFIED &&
      audience.kind() != v1::Audience::KIND_LIST) {
    return errors::FieldInvalid(
        {"audience.kind", absl::StrCat("got ", static_cast<int>(audience.kind()),
                                       ", wanted KIND_LIST, the only kind served so far")});
  }
  storage::Audience read;
  read.id = std::move(id);
  read.display_name = audience.display_name();
  return read;
}

absl::StatusOr<storage::Output> ReadReach(const v1::Reach& reach, const std::string& path) {
  RETURN_IF_ERROR(CheckChannel({absl::StrCat(path, ".channel"), reach.channel()}));
  RETURN_IF_ERROR(CheckPurpose({absl::StrCat(path, ".purpose"), reach.purpose()}));
  storage::Output output;
  output.channel = reach.channel();
  output.purpose = reach.purpose();
  return output;
}

absl::Status CheckConsented(const storage::Schema& schema, const storage::Output& output,
                            const std::string& path) {
  if (!schema.ConsentsFor(output.channel, output.purpose).empty()) return absl::OkStatus();
  std::set<std::string> channels;
  std::set<std::string> purposes;
  for (const storage::Attribute& attribute : schema.attributes()) {
    if (!attribute.consent.has_value()) continue;
    channels.insert(Quoted(attribute.consent->channel));
    if (attribute.consent->channel == output.channel) {
      purposes.insert(Quoted(attribute.consent->purpose));
    }
  }
  if (channels.empty()) return absl::OkStatus();
  if (purposes.empty()) {
    return errors::FieldInvalid(
        {absl::StrCat(path, ".channel"),
         absl::StrCat("no consent attribute has channel ", Quoted(output.channel),
                      "; channels with one: ", absl::StrJoin(channels, ", "))});
  }
  const std::string got = output.purpose.empty() ? "is for the channel as a whole"
                                                 : absl::StrCat("has ", Quoted(output.purpose));
  return errors::FieldInvalid(
      {absl::StrCat(path, ".purpose"),
       absl::StrCat("no consent attribute of channel ", Quoted(output.channel), " ", got,
                    "; purposes with one: ", absl::StrJoin(purposes, ", "))});
}

absl::StatusOr<storage::Output> ReadOutput(const v1::ListMembersRequest& request,
                                           const storage::Schema& schema) {
  RETURN_IF_ERROR(CheckCount("attributes", request.attributes_size(), kMaxOutputColumns));
  RETURN_IF_ERROR(
      CheckCount("identity_namespaces", request.identity_namespaces_size(), kMaxOutputNamespaces));
  ASSIGN_OR_RETURN(storage::Output output, ReadReach(request.reach(), "reach"));
  RETURN_IF_ERROR(CheckConsented(schema, output, "reach"));
  RETURN_IF_ERROR(ReadAttributes(request, schema, &output));
  RETURN_IF_ERROR(ReadNamespaces(request, schema, &output));
  return output;
}

v1::CountMembersResponse ToProto(const storage::MemberCount& count) {
  v1::CountMembersResponse shown;
  shown.set_members(count.members);
  for (const storage::MemberCount::Reach& reach : count.reaches) {
    auto* added = shown.add_reaches();
    added->mutable_reach()->set_channel(reach.channel);
    added->mutable_reach()->set_purpose(reach.purpose);
    added->set_reachable(reach.reachable);
    for (int reason = 1; reason < storage::kExclusions; ++reason) {
      if (reach.excluded[reason] == 0) continue;
      v1::ExcludedCount* excluded = added->add_excluded();
      excluded->set_reason(static_cast<v1::ExclusionReason>(reason));
      excluded->set_members(reach.excluded[reason]);
    }
  }
  shown.set_sequence(count.moment.sequence);
  *shown.mutable_sequence_time() = ToTimestamp(count.moment.commit_us);
  return shown;
}

v1::Member ToProto(const MemberShape& shape, const storage::MemberRow& row) {
  v1::Member shown;
  shown.set_profile(ToText(ProfileName{shape.instance.instance, row.profile}));
  for (size_t i = 0; i < row.identities.size(); ++i) {
    const auto* ns = shape.schema.FindNamespace(shape.output.namespaces[i]);
    if (ns == nullptr || row.identities[i].empty()) continue;
    (*shown.mutable_identities())[ns->id] = std::string(row.identities[i]);
  }
  for (size_t i = 0; i < row.cells.size(); ++i) {
    const auto* attribute = shape.schema.FindAttribute(shape.output.attributes[i]);
    if (attribute == nullptr || row.cells[i].kind == storage::Cell::Kind::kNull ||
        row.cells[i].kind == storage::Cell::Kind::kAbsent) {
      continue;
    }
    (*shown.mutable_attributes())[attribute->id] = RenderValue(attribute->type, row.cells[i]);
  }
  *shown.mutable_qualification_time() = ToTimestamp(row.qualified_us);
  return shown;
}

}  // namespace passerelle
