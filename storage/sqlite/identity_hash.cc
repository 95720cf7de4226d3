#include "storage/sqlite/identity_hash.h"

namespace passerelle::storage::sqlite {

void AppendForms(const Schema& schema, const NamedIdentity& identity,
                 std::vector<HashableAddress>& forms) {
  bool as_it_is = true;
  for (const IdentityNamespace& derived : schema.namespaces()) {
    const bool is_hash = derived.normalization == Normalization::kSha256;
    if (derived.derived_from != identity.name_space || !is_hash) continue;
    forms.push_back({derived.id, identity.value, true});
    if (derived.built_in) as_it_is = false;
  }
  if (as_it_is) forms.push_back({identity.name_space, identity.value, false});
}

std::string_view NamespaceId(const Schema& schema, NamespaceNumber ns) {
  const IdentityNamespace* found = schema.FindNamespace(ns);
  return found == nullptr ? std::string_view() : std::string_view(found->id);
}

std::vector<std::string> HashesOf(const Schema& schema, const StoreKeys& keys, uint32_t key,
                                  AddressUse use, const NamedIdentity& identity) {
  std::vector<HashableAddress> forms;
  AppendForms(schema, identity, forms);
  std::vector<std::string> hashes;
  hashes.reserve(forms.size());
  for (const HashableAddress& form : forms) hashes.push_back(keys.HashAddress(key, use, form));
  return hashes;
}

}  // namespace passerelle::storage::sqlite
