#include "storage/schema.h"

#include <algorithm>
#include <utility>

namespace passerelle::storage {
namespace {

template <class T>
void SortById(std::vector<T>& items) {
  std::sort(items.begin(), items.end(), [](const T& a, const T& b) { return a.id < b.id; });
}

template <class Map, class Key>
typename Map::mapped_type FindIn(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

Schema::Schema(int64_t revision, std::vector<Attribute> attributes,
               std::vector<IdentityNamespace> namespaces)
    : revision_(revision), attributes_(std::move(attributes)), namespaces_(std::move(namespaces)) {
  SortById(attributes_);
  SortById(namespaces_);
  for (const Attribute& attribute : attributes_) {
    attribute_by_id_[attribute.id] = &attribute;
    attribute_by_number_[attribute.number.value] = &attribute;
  }
  for (const IdentityNamespace& ns : namespaces_) {
    namespace_by_id_[ns.id] = &ns;
    namespace_by_number_[ns.number.value] = &ns;
  }
}

const Attribute* Schema::FindAttribute(std::string_view id) const {
  return FindIn(attribute_by_id_, id);
}

const Attribute* Schema::FindAttribute(AttributeNumber number) const {
  return FindIn(attribute_by_number_, number.value);
}

const IdentityNamespace* Schema::FindNamespace(std::string_view id) const {
  return FindIn(namespace_by_id_, id);
}

const IdentityNamespace* Schema::FindNamespace(NamespaceNumber number) const {
  return FindIn(namespace_by_number_, number.value);
}

const IdentityNamespace* Schema::DerivedFrom(const IdentityNamespace& ns) const {
  const auto found = std::find_if(namespaces_.begin(), namespaces_.end(),
                                  [&](const auto& other) { return other.derived_from == ns.id; });
  return found == namespaces_.end() ? nullptr : &*found;
}

std::vector<const Attribute*> Schema::ConsentsFor(std::string_view channel,
                                                  std::string_view purpose) const {
  std::vector<const Attribute*> consents;
  for (const Attribute& attribute : attributes_) {
    if (!attribute.consent.has_value() || attribute.consent->channel != channel) continue;
    const std::string& own = attribute.consent->purpose;
    if (own.empty() || (!purpose.empty() && own == purpose)) consents.push_back(&attribute);
  }
  return consents;
}

}  // namespace passerelle::storage
