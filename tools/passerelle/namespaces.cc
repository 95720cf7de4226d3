#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::InstanceService::Stub;

struct NamespaceFlags {
  std::string id;
  std::string display_name;
  std::string kind = "person";
  std::string normalization = "none";
};

absl::Status Create(Session& session, const NamespaceFlags& flags) {
  v1::CreateIdentityNamespaceRequest request;
  request.set_parent(session.InstanceName());
  request.set_identity_namespace_id(flags.id);
  v1::IdentityNamespace* made = request.mutable_identity_namespace();
  made->set_display_name(flags.display_name);
  auto kind =
      FindEnum<v1::IdentityNamespace::Kind>(v1::IdentityNamespace::Kind_Parse, "KIND_", flags.kind);
  if (!kind) return NotOneOf("--kind", flags.kind, "person or device");
  auto form = FindEnum<v1::IdentityNamespace::Normalization>(
      v1::IdentityNamespace::Normalization_Parse, "NORMALIZATION_", flags.normalization);
  if (!form) {
    return NotOneOf("--normalization", flags.normalization,
                    "none, trim, trim-lower, email, phone or sha256");
  }
  made->set_kind(*kind);
  made->set_normalization(*form);
  auto created = session.Call(&Stub::CreateIdentityNamespace, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

}  // namespace

void AddNamespaces(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("namespaces", "Kinds of identifiers: email, external_id...");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "identity_namespaces",
           {{"name", "NAMESPACE"},
            {"kind", "KIND"},
            {"normalization", "NORMALISATION"},
            {"derived_from", "DERIVED FROM"}}},
          &Stub::ListIdentityNamespaces);
  AddByName(group, session, {"get", "Shows one", "identityNamespaces"},
            &Stub::GetIdentityNamespace);
  AddByName(group, session, {"delete", "Deletes one that nobody has", "identityNamespaces"},
            &Stub::DeleteIdentityNamespace);
  auto flags = std::make_shared<NamespaceFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates one");
  create->add_option("id", flags->id, "Its id: a-z, 0-9 and '_'")->required();
  create->add_option("--kind", flags->kind, "person or device")->capture_default_str();
  create
      ->add_option("--normalization", flags->normalization,
                   "none, trim, trim-lower, email, phone or sha256")
      ->capture_default_str();
  create->add_option("--display-name", flags->display_name, "A name for people");
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
}

}  // namespace passerelle::tools
