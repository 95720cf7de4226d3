#include "server/services/members_output.h"

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/convert/audience.h"
#include "server/convert/fields.h"
#include "server/convert/names.h"
#include "server/convert/record_plan.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/requests.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr char kDefaultNamespace[] = "external_id";

absl::StatusOr<std::vector<storage::AttributeNumber>> AttributesOf(
    const storage::Schema& schema, const char* field,
    const google::protobuf::RepeatedPtrField<std::string>& ids) {
  RETURN_IF_ERROR(CheckNames(field, {ids.begin(), ids.end()}, storage::kAttributesMax));
  std::vector<storage::AttributeNumber> numbers;
  for (int i = 0; i < ids.size(); ++i) {
    const auto* attribute = schema.FindAttribute(ids[i]);
    if (attribute == nullptr) {
      return errors::UnknownAttribute(
          {absl::StrCat(field, "[", i, "]"), absl::StrCat("unknown attribute ", Quoted(ids[i]))});
    }
    numbers.push_back(attribute->number);
  }
  return numbers;
}

}  // namespace

absl::StatusOr<MembersOutput> ReadMembersOutput(const storage::Schema& schema,
                                                const v1::StreamMembersRequest& request) {
  MembersOutput read;
  storage::Output& output = read.asked;
  output.channel = request.reach().channel();
  output.purpose = request.reach().purpose();
  RETURN_IF_ERROR(CheckConsented(schema, output, "reach"));
  ASSIGN_OR_RETURN(output.attributes, AttributesOf(schema, "attributes", request.attributes()));
  ASSIGN_OR_RETURN(output.mandatory,
                   AttributesOf(schema, "mandatory_attributes", request.mandatory_attributes()));
  for (const storage::AttributeNumber number : output.attributes) {
    read.types.push_back(schema.FindAttribute(number)->type);
  }
  std::vector<std::string> names(request.identity_namespaces().begin(),
                                 request.identity_namespaces().end());
  if (names.empty()) names.push_back(kDefaultNamespace);
  if (const auto* ns = schema.FindNamespace(kDefaultNamespace)) read.drop_by = ns->number;
  RETURN_IF_ERROR(CheckNames("identity_namespaces", names, storage::kNamespacesMax));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* ns = schema.FindNamespace(names[i]);
    if (ns == nullptr) {
      return errors::UnknownNamespace({absl::StrCat("identity_namespaces[", i, "]"),
                                       absl::StrCat("unknown ", Quoted(names[i]))});
    }
    output.namespaces.push_back(ns->number);
  }
  return read;
}

}  // namespace passerelle
