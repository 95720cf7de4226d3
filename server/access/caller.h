// Who calls, and where they may: what the door knows of a call's origin.
#ifndef PASSERELLE_SERVER_ACCESS_CALLER_H_
#define PASSERELLE_SERVER_ACCESS_CALLER_H_

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "server/access/scopes.h"

namespace passerelle {

// Immutable; shared by the calls of one credential.
struct Caller {
  std::string credential;  // id; empty: anybody
  std::vector<std::string> roles;
  ScopeSet scopes;
  std::vector<std::string> instances;  // empty: all
  absl::Time expires = absl::InfiniteFuture();
  std::string secret_hash;  // of the secret that let it in; empty for a certificate

  bool MayEnter(std::string_view instance) const;
};

// Anybody, who may do everything.
std::shared_ptr<const Caller> Anybody();

// Whether a caller that is limited to some instances may make this request: every name in it
// ("instances/crm/audiences/vip", in fields name, names, parent, destination, instance, audience,
// stream and profile, its own and those of its messages) must be of one of them. RESOURCE_NOT_FOUND
// of the instance otherwise, which is what a caller is told of one that does not exist;
// PERMISSION_DENIED where the request names none and so concerns all.
absl::Status CheckReach(const Caller& caller, const google::protobuf::Message& request);

// Whether a text has the form of a resource's name: collections and short ids of letters, digits,
// '-', '_' and '.'.
bool IsResourceName(const std::string& text);

// All texts in those fields, in the order of the fields; what is no name of a resource is left out.
std::vector<std::string> NamesIn(const google::protobuf::Message& request);

// What a call is let in with.
struct Admission {
  std::shared_ptr<const Caller> caller;  // null: not known
  absl::Status refusal;                  // OK: let in
  std::vector<std::pair<std::string, std::string>> trailers;
};

// Who may call what. Asked on gRPC's thread, before a request is read: must not block.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // Refuses with PERMISSION_DENIED, UNAUTHENTICATED or OVERLOADED of errors.h. `method` is
  // "Service/Method".
  virtual Admission Authorize(const char* method, const grpc::ServerContextBase& context) const = 0;
  // Whether an open call of a caller that was let in may go on.
  virtual bool MayGoOn(const Caller&) const { return true; }
};

// For a server that only its own machine can reach.
class AllowAll final : public Authorizer {
 public:
  Admission Authorize(const char*, const grpc::ServerContextBase&) const override {
    return {Anybody(), absl::OkStatus(), {}};
  }
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_CALLER_H_
