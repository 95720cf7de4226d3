#include "server/access/credentials.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/hash.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr char kAuthorization[] = "authorization";
constexpr char kAlternativeNames[] = "x509_subject_alternative_name";
constexpr char kCommonName[] = "x509_common_name";
constexpr absl::Duration kShortestRetry = absl::Milliseconds(10);

using RolesById = std::unordered_map<std::string, ScopeSet>;

RolesById ScopesOf(const std::vector<storage::Role>& roles) {
  RolesById scopes;
  for (const BuiltInRole& role : BuiltInRoles()) scopes[role.id] = role.scopes;
  for (const storage::Role& role : roles) scopes[role.id] |= ScopesNamed(role.scopes);
  return scopes;
}

std::shared_ptr<const Caller> CallerOf(const storage::Credential& stored, const RolesById& roles) {
  auto caller = std::make_shared<Caller>();
  caller->credential = stored.id;
  caller->roles = stored.roles;
  caller->instances = stored.instances;
  caller->secret_hash = stored.secret_hash;
  if (stored.expire_us != 0) caller->expires = absl::FromUnixMicros(stored.expire_us);
  caller->scopes.set(v1::SCOPE_NONE);
  for (const std::string& role : stored.roles) {
    const auto found = roles.find(role);
    if (found != roles.end()) caller->scopes |= found->second;
  }
  return caller;
}

// Both are compared, so that the time tells nothing of which one fits.
bool Fits(const storage::Credential& stored, std::string_view hash, absl::Time now) {
  const bool present = EqualInConstantTime(stored.secret_hash, hash);
  const bool previous = EqualInConstantTime(stored.previous_hash, hash);
  return present || (previous && now < absl::FromUnixMicros(stored.previous_until_us));
}

// The caller of an entry, as one that came with this secret.
std::shared_ptr<const Caller> WithSecret(const std::shared_ptr<const Caller>& caller,
                                         const std::string& hash) {
  auto made = std::make_shared<Caller>(*caller);
  made->secret_hash = hash;
  return made;
}

std::vector<std::string> Texts(const std::vector<grpc::string_ref>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const grpc::string_ref& value : values) texts.emplace_back(value.data(), value.size());
  return texts;
}

absl::Status CheckNeed(const Caller& caller, const MethodScopes::Need& need) {
  const bool holds = need.scope != v1::SCOPE_UNSPECIFIED &&
                     caller.scopes.test(static_cast<std::size_t>(need.scope));
  if (!holds) {
    return errors::PermissionDenied(
        absl::StrCat("the caller lacks scope ", NameOfScope(need.scope)));
  }
  if (!need.whole_store || caller.instances.empty()) return absl::OkStatus();
  return errors::PermissionDenied(
      "this credential is limited to some instances, and the call concerns the whole store");
}

void TellRate(const RateAnswer& rate, Admission& admission) {
  admission.trailers = {
      {"ratelimit-limit", absl::StrCat(rate.limit)},
      {"ratelimit-remaining", absl::StrCat(rate.remaining)},
      {"ratelimit-reset",
       absl::StrCat(absl::ToInt64Seconds(absl::Ceil(rate.reset, absl::Seconds(1))))}};
}

}  // namespace

Credentials::Credentials(const Clock& clock, int64_t calls_per_second)
    : clock_(clock),
      calls_per_second_(calls_per_second),
      entries_(std::make_shared<const Entries>()) {}

std::shared_ptr<const Credentials::Entries> Credentials::entries() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return entries_;
}

void Credentials::Load(const storage::AccessStore::Everybody& everybody) {
  const RolesById roles = ScopesOf(everybody.roles);
  const auto before = entries();
  auto made = std::make_shared<Entries>();
  for (const storage::Credential& stored : everybody.credentials) {
    Entry entry{stored, CallerOf(stored, roles), nullptr};
    const int64_t rate = stored.calls_per_second > 0 ? stored.calls_per_second : calls_per_second_;
    const auto known = before->find(stored.id);
    if (known != before->end()) entry.rate = known->second.rate;
    const bool same = entry.rate != nullptr && entry.rate->calls_per_second() == rate;
    if (!same) entry.rate = rate > 0 ? std::make_shared<RateLimit>(rate, clock_.Now()) : nullptr;
    made->emplace(stored.id, std::move(entry));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_ = std::move(made);
}

bool Credentials::IsActive(const Entry& entry) const {
  return entry.stored.revoke_us == 0 && clock_.Now() < entry.caller->expires;
}

std::shared_ptr<const Caller> Credentials::Find(const KeyText& key) const {
  const auto all = entries();
  const std::string hash = HashSecret(key.secret);
  const auto found = all->find(key.id);
  if (found == all->end() || found->second.stored.kind != storage::CredentialKind::kKey) {
    return nullptr;
  }
  const Entry& entry = found->second;
  if (!Fits(entry.stored, hash, clock_.Now()) || !IsActive(entry)) return nullptr;
  // The present secret's caller is made once; that of the one before is rare.
  return hash == entry.stored.secret_hash ? entry.caller : WithSecret(entry.caller, hash);
}

std::shared_ptr<const Caller> Credentials::Find(const std::vector<std::string>& names) const {
  const auto all = entries();
  for (const auto& [id, entry] : *all) {
    const std::string& wanted = entry.stored.certificate_name;
    if (wanted.empty() || !IsActive(entry)) continue;
    if (std::find(names.begin(), names.end(), wanted) != names.end()) return entry.caller;
  }
  return nullptr;
}

RateAnswer Credentials::TakeCall(const Caller& caller) const {
  const auto all = entries();
  const auto found = all->find(caller.credential);
  if (found == all->end() || found->second.rate == nullptr) return {};
  return found->second.rate->Take(clock_.Now());
}

bool Credentials::MayGoOn(const Caller& caller) const {
  if (caller.credential.empty()) return true;
  const auto all = entries();
  const auto found = all->find(caller.credential);
  if (found == all->end() || !IsActive(found->second)) return false;
  const Caller& now = *found->second.caller;
  if (!Fits(found->second.stored, caller.secret_hash, clock_.Now())) return false;
  const bool same_places =
      now.instances.empty() ||
      (!caller.instances.empty() &&
       std::all_of(caller.instances.begin(), caller.instances.end(),
                   [&now](const std::string& instance) { return now.MayEnter(instance); }));
  return same_places && (caller.scopes & ~now.scopes).none();
}

std::shared_ptr<const Caller> KeyAuthorizer::Identify(
    const grpc::ServerContextBase& context) const {
  const auto header = context.client_metadata().find(kAuthorization);
  if (header != context.client_metadata().end()) {
    const auto key =
        ParseAuthorization(std::string_view(header->second.data(), header->second.size()));
    return key.has_value() ? credentials_.Find(*key) : nullptr;
  }
  const auto peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return nullptr;
  std::vector<std::string> names = Texts(peer->FindPropertyValues(kAlternativeNames));
  if (names.empty()) names = Texts(peer->FindPropertyValues(kCommonName));
  return credentials_.Find(names);
}

// One text for every way of not being known, so that nothing is learned by trying.
Admission KeyAuthorizer::Authorize(const char* method,
                                   const grpc::ServerContextBase& context) const {
  Admission admission;
  admission.caller = Identify(context);
  if (admission.caller == nullptr) {
    admission.refusal = errors::Unauthenticated(
        "no valid credential: send metadata 'authorization: Bearer KEY' with a key that is neither "
        "expired nor revoked, or a client certificate that is known");
    return admission;
  }
  admission.refusal = CheckNeed(*admission.caller, scopes_.For(method));
  if (!admission.refusal.ok()) return admission;
  const RateAnswer rate = credentials_.TakeCall(*admission.caller);
  if (!rate.limited) return admission;
  TellRate(rate, admission);
  if (!rate.taken) {
    admission.refusal = errors::Overloaded(
        absl::StrCat("this credential may make ", rate.limit, " calls per second"),
        std::max(rate.retry_after, kShortestRetry));
  }
  return admission;
}

}  // namespace passerelle
