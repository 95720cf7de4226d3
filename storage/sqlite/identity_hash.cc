#include "storage/sqlite/identity_hash.h"

namespace passerelle::storage::sqlite {

// Of one value in clear all hashes are the same text: who is known by one of them is known by
// another one too, whenever its namespace was made.
void AppendForms(const Schema& schema, const NamedIdentity& identity,
                 std::vector<HashableAddress>& forms) {
  const IdentityNamespace* own = schema.FindNamespace(identity.name_space);
  const bool is_hash = own != nullptr && own->normalization == Normalization::kSha256;
  const std::string_view clear = is_hash ? std::string_view(own->derived_from) : std::string_view();
  bool as_it_is = true;
  for (const IdentityNamespace& derived : schema.namespaces()) {
    const bool derives = derived.normalization == Normalization::kSha256 &&
                         !derived.derived_from.empty() && derived.id != identity.name_space;
    if (!derives) continue;
    if (derived.derived_from == clear) forms.push_back({derived.id, identity.value, false});
    if (derived.derived_from != identity.name_space) continue;
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
