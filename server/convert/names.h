// Resource names and the ids in them: read from text, written as text, nothing else. Pure.
//
// Every parser answers NAME_INVALID naming the field, what was got, the pattern that was wanted and
// how its id is formed (errors.h); an empty text is FIELD_REQUIRED. A name that parses has
// well-formed ids; whether the resource exists is the store's business.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/types.h"

namespace passerelle {

// How ids of one kind are formed; at most 63 bytes each.
enum class IdForm {
  kInstance,  // and privacy requests: a lower-case letter, then a-z, 0-9 and '-'
  kColumn,    // attributes, namespaces: a lower-case letter, then a-z, 0-9 and '_'
  kResource,  // audiences and the like: a-z or 0-9, then a-z, 0-9, '-' and '_'
  kStream,    // write streams: a lower-case letter, then a-z, 0-9, '-', '_' and '.'
};
inline constexpr std::size_t kMaxIdBytes = 63;

bool IsId(IdForm form, std::string_view text);

// A text of the request and the path of the field that holds it.
struct NameText {
  std::string_view field;
  std::string_view text;
};

// For the `<resource>_id` of a create request: FIELD_REQUIRED or FIELD_INVALID.
absl::Status CheckId(IdForm form, NameText id);

struct InstanceName {
  std::string instance;
};

// `instances/{instance}/<collection>/{id}`; one type for each collection.
template <class Tag>
struct ChildName {
  std::string instance;
  std::string id;
};
using AttributeName = ChildName<struct AttributeNameTag>;
using NamespaceName = ChildName<struct NamespaceNameTag>;
using AudienceName = ChildName<struct AudienceNameTag>;
using DestinationName = ChildName<struct DestinationNameTag>;
using SourceName = ChildName<struct SourceNameTag>;
using DeliveryName = ChildName<struct DeliveryNameTag>;
using WriteStreamName = ChildName<struct WriteStreamNameTag>;
using PrivacyRequestName = ChildName<struct PrivacyRequestNameTag>;

struct ProfileName {
  std::string instance;
  storage::ProfileId id;
};

struct ConsumerName {
  std::string instance;
  std::string source;
  std::string id;
};

absl::StatusOr<InstanceName> ParseInstanceName(NameText name);
// `credentials/{credential}` and `roles/{role}`; ids as kInstance. Gives the id.
absl::StatusOr<std::string> ParseCredentialName(NameText name);
absl::StatusOr<std::string> ParseRoleName(NameText name);
absl::StatusOr<AttributeName> ParseAttributeName(NameText name);
absl::StatusOr<NamespaceName> ParseNamespaceName(NameText name);
absl::StatusOr<AudienceName> ParseAudienceName(NameText name);
absl::StatusOr<DestinationName> ParseDestinationName(NameText name);
absl::StatusOr<SourceName> ParseSourceName(NameText name);
absl::StatusOr<DeliveryName> ParseDeliveryName(NameText name);
absl::StatusOr<WriteStreamName> ParseWriteStreamName(NameText name);
absl::StatusOr<PrivacyRequestName> ParsePrivacyRequestName(NameText name);
// The id is a decimal number of 1 or more, without sign or leading zero.
absl::StatusOr<ProfileName> ParseProfileName(NameText name);
absl::StatusOr<ConsumerName> ParseConsumerName(NameText name);

std::string ToText(const InstanceName& name);
std::string ToText(const AttributeName& name);
std::string ToText(const NamespaceName& name);
std::string ToText(const AudienceName& name);
std::string ToText(const DestinationName& name);
std::string ToText(const SourceName& name);
std::string ToText(const DeliveryName& name);
std::string ToText(const WriteStreamName& name);
std::string ToText(const PrivacyRequestName& name);
std::string ToText(const ProfileName& name);
std::string ToText(const ConsumerName& name);

}  // namespace passerelle
