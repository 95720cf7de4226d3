// Who may call, in memory: the store's credentials and roles, ready to be asked at every call.
#ifndef PASSERELLE_SERVER_ACCESS_CREDENTIALS_H_
#define PASSERELLE_SERVER_ACCESS_CREDENTIALS_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/access/caller.h"
#include "server/access/key_text.h"
#include "server/access/rate.h"
#include "server/clock.h"
#include "storage/access_store.h"

namespace passerelle {

// Thread-safe; nothing of it waits for the store.
class Credentials {
 public:
  // `calls_per_second`: for credentials that say nothing of their own; 0: no limit. `clock`
  // outlives this.
  Credentials(const Clock& clock, int64_t calls_per_second);

  // Takes the place of what was known. Rates go on for those that stay.
  void Load(const storage::AccessStore::Everybody& everybody);

  // The caller that this key or certificate makes known; null: none, or one that is expired or
  // revoked. The time it takes tells nothing of a secret.
  std::shared_ptr<const Caller> Find(const KeyText& key) const;
  // `names`: the alternative names of the certificate, or its common name if it has none.
  std::shared_ptr<const Caller> Find(const std::vector<std::string>& names) const;

  // Takes one call from the credential's rate.
  RateAnswer TakeCall(const Caller& caller) const;

  // Whether open calls of this caller may go on: it is active, its secret is taken, and it may
  // still do all that it might when they began. Always true of anybody.
  bool MayGoOn(const Caller& caller) const;

 private:
  struct Entry {
    storage::Credential stored;
    std::shared_ptr<const Caller> caller;
    std::shared_ptr<RateLimit> rate;  // null: no limit
  };
  using Entries = std::unordered_map<std::string, Entry>;
  std::shared_ptr<const Entries> entries() const;
  bool IsActive(const Entry& entry) const;

  const Clock& clock_;
  const int64_t calls_per_second_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Entries> entries_;  // guarded by mutex_; replaced, never changed
};

// What the server does with them at every call.
class KeyAuthorizer final : public Authorizer {
 public:
  // Both outlive this.
  KeyAuthorizer(const Credentials& credentials, const MethodScopes& scopes)
      : credentials_(credentials), scopes_(scopes) {}
  Admission Authorize(const char* method, const grpc::ServerContextBase& context) const override;
  bool MayGoOn(const Caller& caller) const override { return credentials_.MayGoOn(caller); }

 private:
  std::shared_ptr<const Caller> Identify(const grpc::ServerContextBase& context) const;

  const Credentials& credentials_;
  const MethodScopes& scopes_;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_CREDENTIALS_H_
