#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::InstanceService::Stub;

struct AttributeFlags {
  std::string id;
  std::string type;
  std::string display_name;
  std::string consent_channel;
  std::string consent_purpose;
  bool opt_in_required = false;
  bool personal = false;
  bool read_only = false;
};

void Fill(const AttributeFlags& flags, v1::Attribute* attribute) {
  attribute->set_display_name(flags.display_name);
  attribute->set_personal(flags.personal);
  attribute->set_read_only_for_sync(flags.read_only);
}

absl::Status Create(Session& session, const AttributeFlags& flags) {
  v1::CreateAttributeRequest request;
  request.set_parent(session.InstanceName());
  request.set_attribute_id(flags.id);
  Fill(flags, request.mutable_attribute());
  auto type = FindEnum<v1::AttributeType>(v1::AttributeType_Parse, "ATTRIBUTE_TYPE_", flags.type);
  if (!type) {
    return NotOneOf("--type", flags.type,
                    "string, int64, double, bool, timestamp, date or string-list");
  }
  request.mutable_attribute()->set_type(*type);
  if (!flags.consent_channel.empty() || !flags.consent_purpose.empty() || flags.opt_in_required) {
    v1::Consent* consent = request.mutable_attribute()->mutable_consent();
    consent->set_channel(flags.consent_channel);
    consent->set_purpose(flags.consent_purpose);
    consent->set_opt_in_required(flags.opt_in_required);
  }
  auto created = session.Call(&Stub::CreateAttribute, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

absl::Status Update(Session& session, const CLI::App& command, const AttributeFlags& flags) {
  v1::UpdateAttributeRequest request;
  Fill(flags, request.mutable_attribute());
  request.mutable_attribute()->set_name(session.NameOf("attributes", flags.id));
  auto* mask = request.mutable_update_mask();
  if (command.count("--display-name") > 0) mask->add_paths("display_name");
  if (command.count("--personal") > 0) mask->add_paths("personal");
  if (command.count("--read-only") > 0) mask->add_paths("read_only_for_sync");
  auto updated = session.Call(&Stub::UpdateAttribute, request);
  if (updated.ok()) PrintResource(*updated, session.json());
  return updated.status();
}

void AddShared(CLI::App* command, AttributeFlags* flags) {
  command->add_option("id", flags->id, "Its id: a-z, 0-9 and '_'")->required();
  command->add_option("--display-name", flags->display_name, "A name for people");
  command->add_flag("--personal,!--not-personal", flags->personal, "Personal data");
  command->add_flag("--read-only,!--not-read-only", flags->read_only,
                    "Destinations may not map it: only imports write it");
}

void AddCreate(CLI::App* group, Session& session) {
  auto flags = std::make_shared<AttributeFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates one; takes no time");
  AddShared(create, flags.get());
  create
      ->add_option("--type", flags->type,
                   "string, int64, double, bool, timestamp, date or string-list; never changes")
      ->required();
  create->add_option("--consent-channel", flags->consent_channel,
                     "Makes it the consent for a channel (type bool)");
  create->add_option("--consent-purpose", flags->consent_purpose, "... and a purpose within it");
  create->add_flag("--opt-in-required", flags->opt_in_required, "Unknown counts as not reachable");
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
}

}  // namespace

void AddAttributes(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("attributes", "Typed columns of the profile schema");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "attributes",
           {{"name", "ATTRIBUTE"},
            {"type", "TYPE"},
            {"consent", "CONSENT"},
            {"personal", "PERSONAL"},
            {"read_only_for_sync", "READ ONLY"},
            {"display_name", "NAME"}}},
          &Stub::ListAttributes);
  AddByName(group, session, {"get", "Shows one", "attributes"}, &Stub::GetAttribute);
  AddByName(group, session, {"delete", "Deletes one with its values", "attributes"},
            &Stub::DeleteAttribute);
  AddCreate(group, session);
  auto flags = std::make_shared<AttributeFlags>();
  CLI::App* update = group->add_subcommand("update", "Changes what is given");
  AddShared(update, flags.get());
  session.OnRun(update, [&session, flags, update] { return Update(session, *update, *flags); });
}

}  // namespace passerelle::tools
