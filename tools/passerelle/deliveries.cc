#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::LogService::Stub;

struct DeliveryFlags {
  std::string id;
  std::string display_name;
  std::string channel;
  std::string purpose;
  std::string campaign;
  std::string audiences;
};

absl::Status Create(Session& session, const DeliveryFlags& flags) {
  v1::CreateDeliveryRequest request;
  request.set_parent(session.InstanceName());
  request.set_delivery_id(flags.id);
  v1::Delivery* delivery = request.mutable_delivery();
  delivery->set_display_name(flags.display_name);
  delivery->set_channel(flags.channel);
  delivery->set_purpose(flags.purpose);
  delivery->set_campaign(flags.campaign);
  for (const std::string& audience : ParseList(flags.audiences)) delivery->add_audiences(audience);
  auto created = session.Call(&Stub::CreateDelivery, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

}  // namespace

void AddDeliveries(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("deliveries", "Message actions of the campaign system");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "deliveries",
           {{"name", "DELIVERY"},
            {"channel", "CHANNEL"},
            {"purpose", "PURPOSE"},
            {"campaign", "CAMPAIGN"},
            {"audiences", "AUDIENCES"},
            {"display_name", "NAME"}}},
          &Stub::ListDeliveries);
  AddByName(group, session, {"get", "Shows one", "deliveries"}, &Stub::GetDelivery);
  AddByName(group, session, {"delete", "Deletes one that has no log rows", "deliveries"},
            &Stub::DeleteDelivery);
  auto flags = std::make_shared<DeliveryFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates one");
  create->add_option("id", flags->id, "Its id")->required();
  create->add_option("--channel", flags->channel, "email, sms, push...; never changes")->required();
  create->add_option("--purpose", flags->purpose, "The purpose that its opt-outs are for");
  create->add_option("--campaign", flags->campaign, "The campaign it belongs to");
  create->add_option("--audiences", flags->audiences, "Ids of the audiences it went to: a,b");
  create->add_option("--display-name", flags->display_name, "A name for people");
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
}

}  // namespace passerelle::tools
