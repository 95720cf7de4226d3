#include "server/access/caller.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/convert/names.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr absl::string_view kInstances = "instances/";
// Requests hold names in themselves and in the resource or the opening that they carry.
constexpr int kDepth = 3;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// The fields that say what a request is about; what lies in others is no name.
bool IsNaming(const FieldDescriptor& field) {
  constexpr absl::string_view kNaming[] = {"name",     "names",    "parent", "destination",
                                           "instance", "audience", "stream", "profile"};
  return field.type() == FieldDescriptor::TYPE_STRING &&
         std::find(std::begin(kNaming), std::end(kNaming), field.name()) != std::end(kNaming);
}

void AddTexts(const Message& message, const FieldDescriptor& field,
              std::vector<std::string>& texts) {
  const Reflection& reflection = *message.GetReflection();
  std::string scratch;
  if (!field.is_repeated()) {
    texts.push_back(reflection.GetStringReference(message, &field, &scratch));
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    texts.push_back(reflection.GetRepeatedStringReference(message, &field, i, &scratch));
  }
}

void AddNamed(const Message& message, int depth, std::vector<std::string>& texts) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (IsNaming(*field)) AddTexts(message, *field, texts);
    const bool goes_on = field->type() == FieldDescriptor::TYPE_MESSAGE && !field->is_repeated();
    if (goes_on && depth > 1) {
      AddNamed(message.GetReflection()->GetMessage(message, field), depth - 1, texts);
    }
  }
}

std::vector<std::string> InstancesIn(const Message& request) {
  std::vector<std::string> texts;
  AddNamed(request, kDepth, texts);
  std::vector<std::string> instances;
  for (const std::string& text : texts) {
    absl::string_view rest = text;
    if (!absl::ConsumePrefix(&rest, kInstances)) continue;
    instances.emplace_back(rest.substr(0, rest.find('/')));
  }
  return instances;
}

}  // namespace

bool Caller::MayEnter(std::string_view instance) const {
  return instances.empty() ||
         std::find(instances.begin(), instances.end(), instance) != instances.end();
}

std::shared_ptr<const Caller> Anybody() {
  static const auto* anybody = new std::shared_ptr<const Caller>([] {
    Caller caller;
    caller.scopes = AllScopes();
    return std::make_shared<const Caller>(std::move(caller));
  }());
  return *anybody;
}

absl::Status CheckReach(const Caller& caller, const Message& request) {
  if (caller.instances.empty()) return absl::OkStatus();
  const std::vector<std::string> named = InstancesIn(request);
  if (named.empty()) {
    return errors::PermissionDenied(
        "this credential is limited to some instances, and the call names none of them");
  }
  for (const std::string& instance : named) {
    // What cannot be a name is told so by whoever reads the request.
    if (!IsId(IdForm::kInstance, instance) || caller.MayEnter(instance)) continue;
    return errors::ResourceNotFound(absl::StrCat(kInstances, instance));
  }
  return absl::OkStatus();
}

bool IsResourceName(const std::string& text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  if (parts.size() % 2 != 0) return false;
  return std::all_of(parts.begin(), parts.end(), [](absl::string_view part) {
    const bool fits = !part.empty() && part.size() <= kMaxIdBytes;
    return fits && std::all_of(part.begin(), part.end(), [](char c) {
             return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
           });
  });
}

std::vector<std::string> NamesIn(const Message& request) {
  std::vector<std::string> names;
  AddNamed(request, kDepth, names);
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const std::string& text) { return !IsResourceName(text); }),
              names.end());
  return names;
}

}  // namespace passerelle
