#include "server/convert/names.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/text.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr char kInstances[] = "instances";

bool MayStart(IdForm form, char c) {
  return absl::ascii_islower(c) || (form == IdForm::kResource && absl::ascii_isdigit(c));
}

bool MayFollow(IdForm form, char c) {
  if (absl::ascii_islower(c) || absl::ascii_isdigit(c)) return true;
  if (c == '-') return form != IdForm::kColumn;
  if (c == '_') return form != IdForm::kInstance;
  return c == '.' && form == IdForm::kStream;
}

const char* Wanted(IdForm form) {
  switch (form) {
    case IdForm::kInstance:
      return "a lower-case letter, then up to 62 of a-z, 0-9 and '-'";
    case IdForm::kColumn:
      return "a lower-case letter, then up to 62 of a-z, 0-9 and '_'";
    case IdForm::kResource:
      return "a lower-case letter or digit, then up to 62 of a-z, 0-9, '-' and '_'";
    case IdForm::kStream:
      return "a lower-case letter, then up to 62 of a-z, 0-9, '-', '_' and '.'";
  }
  return "an id";
}

// One collection below an instance: how its names look.
struct Collection {
  const char* segment;
  const char* variable;
  IdForm form;
};
constexpr Collection kAttributes = {"attributes", "attribute", IdForm::kColumn};
constexpr Collection kNamespaces = {"identityNamespaces", "identity_namespace", IdForm::kColumn};
constexpr Collection kAudiences = {"audiences", "audience", IdForm::kResource};
constexpr Collection kDestinations = {"destinations", "destination", IdForm::kResource};
constexpr Collection kSources = {"sources", "source", IdForm::kResource};
constexpr Collection kDeliveries = {"deliveries", "delivery", IdForm::kResource};
constexpr Collection kWriteStreams = {"writeStreams", "write_stream", IdForm::kStream};
constexpr Collection kPrivacyRequests = {"privacyRequests", "privacy_request", IdForm::kInstance};

std::string Pattern(const Collection& collection) {
  return absl::StrCat("instances/{instance}/", collection.segment, "/{", collection.variable, "}");
}

absl::Status Malformed(NameText name, std::string pattern) {
  if (name.text.empty()) return errors::FieldRequired(std::string(name.field));
  return errors::NameInvalid(
      {std::string(name.field), absl::StrCat("got ", Quoted(name.text), ", wanted ", pattern)});
}

std::vector<std::string> Parts(std::string_view text) {
  return absl::StrSplit(AbslView(text), '/');
}

absl::StatusOr<std::string> ParseTop(std::string_view collection, const char* pattern,
                                     NameText name) {
  std::vector<std::string> parts = Parts(name.text);
  if (parts.size() != 2 || parts[0] != collection || !IsId(IdForm::kInstance, parts[1])) {
    return Malformed(name, pattern);
  }
  return std::move(parts[1]);
}

template <class Name>
absl::StatusOr<Name> ParseChild(const Collection& collection, NameText name) {
  std::vector<std::string> parts = Parts(name.text);
  if (parts.size() != 4 || parts[0] != kInstances || !IsId(IdForm::kInstance, parts[1]) ||
      parts[2] != collection.segment) {
    return Malformed(name, Pattern(collection));
  }
  if (!IsId(collection.form, parts[3])) {
    return Malformed(name, absl::StrCat(Pattern(collection), ", where {", collection.variable,
                                        "} is ", Wanted(collection.form)));
  }
  return Name{std::move(parts[1]), std::move(parts[3])};
}

template <class Name>
std::string ChildText(const Collection& collection, const Name& name) {
  return absl::StrCat("instances/", name.instance, "/", collection.segment, "/", name.id);
}

}  // namespace

bool IsId(IdForm form, std::string_view text) {
  if (text.empty() || text.size() > kMaxIdBytes || !MayStart(form, text[0])) return false;
  for (const char c : text) {
    if (!MayFollow(form, c)) return false;
  }
  return true;
}

absl::Status CheckId(IdForm form, NameText id) {
  if (id.text.empty()) return errors::FieldRequired(std::string(id.field));
  if (IsId(form, id.text)) return absl::OkStatus();
  return errors::FieldInvalid(
      {std::string(id.field), absl::StrCat("got ", Quoted(id.text), ", wanted ", Wanted(form))});
}

absl::StatusOr<InstanceName> ParseInstanceName(NameText name) {
  absl::StatusOr<std::string> id = ParseTop(kInstances, "instances/{instance}", name);
  if (!id.ok()) return id.status();
  return InstanceName{*std::move(id)};
}

absl::StatusOr<std::string> ParseCredentialName(NameText name) {
  return ParseTop("credentials", "credentials/{credential}", name);
}
absl::StatusOr<std::string> ParseRoleName(NameText name) {
  return ParseTop("roles", "roles/{role}", name);
}

absl::StatusOr<AttributeName> ParseAttributeName(NameText name) {
  return ParseChild<AttributeName>(kAttributes, name);
}
absl::StatusOr<NamespaceName> ParseNamespaceName(NameText name) {
  return ParseChild<NamespaceName>(kNamespaces, name);
}
absl::StatusOr<AudienceName> ParseAudienceName(NameText name) {
  return ParseChild<AudienceName>(kAudiences, name);
}
absl::StatusOr<DestinationName> ParseDestinationName(NameText name) {
  return ParseChild<DestinationName>(kDestinations, name);
}
absl::StatusOr<SourceName> ParseSourceName(NameText name) {
  return ParseChild<SourceName>(kSources, name);
}
absl::StatusOr<DeliveryName> ParseDeliveryName(NameText name) {
  return ParseChild<DeliveryName>(kDeliveries, name);
}
absl::StatusOr<WriteStreamName> ParseWriteStreamName(NameText name) {
  return ParseChild<WriteStreamName>(kWriteStreams, name);
}
absl::StatusOr<PrivacyRequestName> ParsePrivacyRequestName(NameText name) {
  return ParseChild<PrivacyRequestName>(kPrivacyRequests, name);
}

absl::StatusOr<ProfileName> ParseProfileName(NameText name) {
  std::vector<std::string> parts = Parts(name.text);
  int64_t number = 0;
  if (parts.size() != 4 || parts[0] != kInstances || !IsId(IdForm::kInstance, parts[1]) ||
      parts[2] != "profiles" || !absl::SimpleAtoi(parts[3], &number) || number < 1 ||
      parts[3] != absl::StrCat(number)) {
    return Malformed(name, "instances/{instance}/profiles/{profile}");
  }
  return ProfileName{std::move(parts[1]), storage::ProfileId{number}};
}

absl::StatusOr<ConsumerName> ParseConsumerName(NameText name) {
  std::vector<std::string> parts = Parts(name.text);
  if (parts.size() != 6 || parts[0] != kInstances || !IsId(IdForm::kInstance, parts[1]) ||
      parts[2] != kSources.segment || !IsId(IdForm::kResource, parts[3]) ||
      parts[4] != "consumers" || !IsId(IdForm::kResource, parts[5])) {
    return Malformed(name, absl::StrCat(Pattern(kSources), "/consumers/{consumer}"));
  }
  return ConsumerName{std::move(parts[1]), std::move(parts[3]), std::move(parts[5])};
}

std::string ToText(const InstanceName& name) { return absl::StrCat("instances/", name.instance); }
std::string ToText(const AttributeName& name) { return ChildText(kAttributes, name); }
std::string ToText(const NamespaceName& name) { return ChildText(kNamespaces, name); }
std::string ToText(const AudienceName& name) { return ChildText(kAudiences, name); }
std::string ToText(const DestinationName& name) { return ChildText(kDestinations, name); }
std::string ToText(const SourceName& name) { return ChildText(kSources, name); }
std::string ToText(const DeliveryName& name) { return ChildText(kDeliveries, name); }
std::string ToText(const WriteStreamName& name) { return ChildText(kWriteStreams, name); }
std::string ToText(const PrivacyRequestName& name) { return ChildText(kPrivacyRequests, name); }

std::string ToText(const ProfileName& name) {
  return absl::StrCat("instances/", name.instance, "/profiles/", name.id.value);
}

std::string ToText(const ConsumerName& name) {
  return absl::StrCat(ToText(SourceName{name.instance, name.source}), "/consumers/", name.id);
}

}  // namespace passerelle
