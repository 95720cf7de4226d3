#include "server/convert/masks.h"

#include <google/protobuf/util/message_differencer.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "google/api/field_behavior.pb.h"
#include "server/convert/text.h"
#include "server/errors.h"

namespace passerelle {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kEverything[] = "*";

bool Behaves(const FieldDescriptor& field, google::api::FieldBehavior behavior) {
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == behavior) return true;
  }
  return false;
}

bool IsIgnored(const FieldDescriptor& field) {
  return field.name() == "name" || field.name() == "etag" ||
         Behaves(field, google::api::OUTPUT_ONLY);
}

bool IsSet(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field) > 0
                              : reflection->HasField(message, field);
}

// Same content of one field.
bool SameField(const Message& a, const Message& b, const FieldDescriptor* field) {
  google::protobuf::util::MessageDifferencer differencer;
  return differencer.CompareWithFields(a, b, {field}, {field});
}

void TakeField(const Message& patch, const FieldDescriptor* field, Message* present) {
  const std::unique_ptr<Message> copy(patch.New());
  copy->CopyFrom(patch);
  present->GetReflection()->SwapFields(present, copy.get(), {field});
}

// A field of the update, and whether the caller named it.
struct Choice {
  const FieldDescriptor* field;
  bool named;
};

absl::StatusOr<std::vector<Choice>> Choose(const MaskedUpdate& update) {
  const auto* descriptor = update.patch.GetDescriptor();
  const bool everything = update.mask.paths_size() == 1 && update.mask.paths(0) == kEverything;
  std::vector<Choice> chosen;
  if (update.mask.paths().empty() || everything) {
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor* field = descriptor->field(i);
      if (everything || IsSet(update.patch, field)) chosen.push_back({field, false});
    }
    return chosen;
  }
  for (int i = 0; i < update.mask.paths_size(); ++i) {
    const FieldDescriptor* field = descriptor->FindFieldByName(update.mask.paths(i));
    if (field == nullptr) {
      return errors::FieldInvalid(
          {absl::StrCat("update_mask.paths[", i, "]"),
           absl::StrCat("got ", Quoted(update.mask.paths(i)), ", wanted '*' or a field of ",
                        descriptor->name())});
    }
    chosen.push_back({field, true});
  }
  return chosen;
}

}  // namespace

absl::Status ApplyMask(const MaskedUpdate& update, Message* present) {
  const auto chosen = Choose(update);
  if (!chosen.ok()) return chosen.status();
  for (const Choice& choice : *chosen) {
    if (IsIgnored(*choice.field)) continue;
    if (!Behaves(*choice.field, google::api::IMMUTABLE)) {
      TakeField(update.patch, choice.field, present);
      continue;
    }
    // Under "*" a field that was left out is not asked to change.
    const bool asked = choice.named || IsSet(update.patch, choice.field);
    if (asked && !SameField(update.patch, *present, choice.field)) {
      return errors::FieldImmutable(absl::StrCat(AbslView(update.path), ".", choice.field->name()));
    }
  }
  return absl::OkStatus();
}

}  // namespace passerelle
