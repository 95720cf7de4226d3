// The attributes of an instance: made once, and their types, which rows must fit. Safe on any
// thread.
#ifndef PASSERELLE_CLIENT_SCHEMA_H_
#define PASSERELLE_CLIENT_SCHEMA_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "passerelle/client.h"
#include "passerelle/v1/instance.pb.h"

namespace passerelle::client {

// Creates attribute `id` of `instance` ("instances/default"). One that is there already is left as
// it is, and returned. Safe to repeat; otherwise fails as InstanceService.CreateAttribute.
absl::StatusOr<v1::Attribute> CreateAttribute(Client& client, const std::string& instance,
                                              const std::string& id,
                                              const v1::Attribute& attribute);

// The type of every attribute of `instance`, by id.
absl::StatusOr<std::map<std::string, v1::AttributeType>> AttributeTypes(
    Client& client, const std::string& instance);

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_SCHEMA_H_
