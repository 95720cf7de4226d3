#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::AccessService::Stub;

struct CredentialFlags {
  std::string id;
  std::string display_name;
  std::vector<std::string> roles;
  std::vector<std::string> instances;
  std::string expires;
  std::string certificate;
  int32_t calls_per_second = 0;
  std::string key_out;
  std::string grace;
};

// Opened before the key is made: a key that cannot be kept must not be.
class KeyFile {
 public:
  ~KeyFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  absl::Status Open(const std::string& path) {
    path_ = path;
    if (path.empty()) return absl::OkStatus();
    descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor_ >= 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("--key-out ", path, ": ", std::strerror(errno), "; no key was made"));
  }
  absl::Status Write(const std::string& key) const {
    const std::string line = key + "\n";
    const bool written =
        write(descriptor_, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
        fsync(descriptor_) == 0;
    if (written) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("--key-out ", path_, ": ", std::strerror(errno),
                                            "; the key is lost: rotate the credential"));
  }
  // Takes the file away again when no key came.
  void Drop() const {
    if (descriptor_ >= 0) unlink(path_.c_str());
  }
  bool wanted() const { return descriptor_ >= 0; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

// Prints what was made, and its key unless that went to a file.
template <typename Response>
absl::Status TellKey(const Session& session, const KeyFile& file, Response response) {
  if (file.wanted() && !response.key().empty()) {
    if (absl::Status status = file.Write(response.key()); !status.ok()) return status;
    response.clear_key();
  }
  if (session.json()) {
    PrintJson(ToJson(response));
    return absl::OkStatus();
  }
  PrintResource(response.credential(), false);
  if (!response.key().empty()) {
    std::cout << "key  " << response.key() << "\n";
    if (!session.quiet()) std::cerr << "The key is told this once: keep it.\n";
  }
  return absl::OkStatus();
}

absl::Status Fill(const Session& session, const CredentialFlags& flags,
                  v1::Credential* credential) {
  credential->set_display_name(flags.display_name);
  for (const std::string& role : flags.roles) credential->add_roles(session.NameOf("roles", role));
  for (const std::string& instance : flags.instances) {
    credential->add_instances(session.NameOf("instances", instance));
  }
  credential->set_calls_per_second(flags.calls_per_second);
  if (flags.expires.empty()) return absl::OkStatus();
  auto time = ParseTime("--expires", flags.expires);
  if (time.ok()) *credential->mutable_expire_time() = *time;
  return time.status();
}

absl::Status Create(Session& session, const CredentialFlags& flags) {
  v1::CreateCredentialRequest request;
  request.set_credential_id(flags.id);
  v1::Credential* credential = request.mutable_credential();
  if (absl::Status filled = Fill(session, flags, credential); !filled.ok()) return filled;
  credential->set_kind(v1::Credential::KIND_KEY);
  if (!flags.certificate.empty()) {
    credential->set_kind(v1::Credential::KIND_CERTIFICATE);
    credential->set_certificate_name(flags.certificate);
  }
  KeyFile file;
  if (absl::Status opened = file.Open(flags.key_out); !opened.ok()) return opened;
  auto created = session.Call(&Stub::CreateCredential, request);
  if (created.ok()) return TellKey(session, file, *created);
  file.Drop();
  return created.status();
}

absl::Status Update(Session& session, const CLI::App& command, const CredentialFlags& flags) {
  v1::UpdateCredentialRequest request;
  if (absl::Status filled = Fill(session, flags, request.mutable_credential()); !filled.ok())
    return filled;
  request.mutable_credential()->set_name(session.NameOf("credentials", flags.id));
  const std::pair<const char*, const char*> fields[] = {{"--display-name", "display_name"},
                                                        {"--role", "roles"},
                                                        {"--only-instance", "instances"},
                                                        {"--expires", "expire_time"},
                                                        {"--calls-per-second", "calls_per_second"}};
  for (const auto& [flag, field] : fields) {
    if (command.count(flag) > 0) request.mutable_update_mask()->add_paths(field);
  }
  if (request.update_mask().paths().empty()) {
    return absl::InvalidArgumentError(
        "got nothing to change, wanted at least one of --role, "
        "--only-instance, --expires, --calls-per-second, "
        "--display-name");
  }
  auto updated = session.Call(&Stub::UpdateCredential, request);
  if (updated.ok()) PrintResource(*updated, session.json());
  return updated.status();
}

absl::Status Rotate(Session& session, const CredentialFlags& flags) {
  v1::RotateCredentialRequest request;
  request.set_name(session.NameOf("credentials", flags.id));
  if (!flags.grace.empty()) {
    auto grace = ParseDuration("--grace", flags.grace);
    if (!grace.ok()) return grace.status();
    *request.mutable_grace() = *grace;
  }
  KeyFile file;
  if (absl::Status opened = file.Open(flags.key_out); !opened.ok()) return opened;
  auto rotated = session.Call(&Stub::RotateCredential, request);
  if (rotated.ok()) return TellKey(session, file, *rotated);
  file.Drop();
  return rotated.status();
}

absl::Status WhoAmI(Session& session) {
  auto caller = session.Call(&Stub::GetCaller, v1::GetCallerRequest());
  if (!caller.ok()) return caller.status();
  PrintResource(*caller, session.json());
  if (!session.json() && caller->credential().empty()) {
    std::cout << "anybody: the server asks for no credentials\n";
  }
  return absl::OkStatus();
}

void AddLimits(CLI::App* command, CredentialFlags* flags) {
  command->add_option("--display-name", flags->display_name, "A name for people");
  command->add_option("--role", flags->roles,
                      "cdp, campaign, analyst, operator, admin, or one of your own; repeatable");
  command->add_option("--only-instance", flags->instances,
                      "Limits it to this instance; repeatable (default: all)");
  command->add_option("--expires", flags->expires, "Until when: RFC 3339 or a day (UTC)");
  command->add_option("--calls-per-second", flags->calls_per_second,
                      "How many calls it may make (default: as the server is set)");
}

void AddCredentials(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("credentials", "Who may call: keys and certificates");
  group->require_subcommand(1);
  CLI::App* list = group->add_subcommand("list", "Lists them");
  session.OnRun(list, [&session] {
    v1::ListCredentialsRequest request;
    request.set_page_size(1'000);
    const ListCommand columns{"",
                              "credentials",
                              {{"name", "CREDENTIAL"},
                               {"kind", "KIND"},
                               {"roles", "ROLES"},
                               {"instances", "INSTANCES"},
                               {"state", "STATE"},
                               {"expire_time", "EXPIRES"}}};
    return PrintAllPages(session, columns, &Stub::ListCredentials, request);
  });
  AddByName(group, session, {"get", "Shows one", "credentials"}, &Stub::GetCredential);
  AddByName(group, session, {"revoke", "Refuses it from now on, for ever", "credentials"},
            &Stub::RevokeCredential);
  AddByName(group, session, {"delete", "Forgets one that is revoked or expired", "credentials"},
            &Stub::DeleteCredential);
  auto flags = std::make_shared<CredentialFlags>();
  CLI::App* create = group->add_subcommand("create", "Makes a key, or lets a certificate in");
  create->add_option("id", flags->id, "Its id: a-z, 0-9 and '-'")->required();
  AddLimits(create, flags.get());
  create->add_option("--certificate", flags->certificate,
                     "The name in a client certificate, instead of a key");
  create->add_option("--key-out", flags->key_out,
                     "Writes the key to this new file (mode 0600) instead of printing it");
  create->get_option("--role")->required();
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
  auto changes = std::make_shared<CredentialFlags>();
  CLI::App* update = group->add_subcommand("update", "Changes what it may do");
  update->add_option("id", changes->id, "Its id")->required();
  AddLimits(update, changes.get());
  session.OnRun(update, [&session, update, changes] { return Update(session, *update, *changes); });
  auto rotation = std::make_shared<CredentialFlags>();
  CLI::App* rotate = group->add_subcommand("rotate", "Gives a key a new secret");
  rotate->add_option("id", rotation->id, "Its id")->required();
  rotate->add_option("--grace", rotation->grace,
                     "How long the old secret is taken too: 90s, 6h, 30d (default: not at all)");
  rotate->add_option("--key-out", rotation->key_out,
                     "Writes the key to this new file (mode 0600) instead of printing it");
  session.OnRun(rotate, [&session, rotation] { return Rotate(session, *rotation); });
}

struct RoleFlags {
  std::string id;
  std::string display_name;
  std::vector<std::string> scopes;
};

// "profiles.read".
std::optional<v1::Scope> ScopeOf(std::string words) {
  std::replace(words.begin(), words.end(), '.', '-');
  return FindEnum<v1::Scope>(v1::Scope_Parse, "SCOPE_", std::move(words));
}

absl::Status CreateRole(Session& session, const RoleFlags& flags) {
  v1::CreateRoleRequest request;
  request.set_role_id(flags.id);
  request.mutable_role()->set_display_name(flags.display_name);
  for (const std::string& words : flags.scopes) {
    const auto scope = ScopeOf(words);
    if (!scope)
      return NotOneOf("--scope", words, "a scope such as profiles.read (roles get admin)");
    request.mutable_role()->add_scopes(*scope);
  }
  auto created = session.Call(&Stub::CreateRole, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

void AddRoles(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("roles", "What callers may do");
  group->require_subcommand(1);
  CLI::App* list = group->add_subcommand("list", "Lists them, the built-in ones first");
  session.OnRun(list, [&session]() -> absl::Status {
    auto roles = session.Call(&Stub::ListRoles, v1::ListRolesRequest());
    if (!roles.ok()) return roles.status();
    PrintList("roles", ToJson(*roles)["roles"],
              {{"name", "ROLE"}, {"display_name", "FOR"}, {"scopes", "SCOPES"}}, session.json());
    return absl::OkStatus();
  });
  AddByName(group, session, {"get", "Shows one", "roles"}, &Stub::GetRole);
  AddByName(group, session, {"delete", "Deletes one that nobody has", "roles"}, &Stub::DeleteRole);
  auto flags = std::make_shared<RoleFlags>();
  CLI::App* create = group->add_subcommand("create", "Makes one of your own");
  create->add_option("id", flags->id, "Its id: a-z, 0-9 and '-'")->required();
  create->add_option("--scope", flags->scopes, "profiles.read and the like; repeatable")
      ->required();
  create->add_option("--display-name", flags->display_name, "A name for people");
  session.OnRun(create, [&session, flags] { return CreateRole(session, *flags); });
}

}  // namespace

void AddAccess(CLI::App& app, Session& session) {
  AddCredentials(app, session);
  AddRoles(app, session);
  CLI::App* whoami = app.add_subcommand("whoami", "Shows what the server knows of you");
  session.OnRun(whoami, [&session] { return WhoAmI(session); });
}

}  // namespace passerelle::tools
