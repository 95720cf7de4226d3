#include "server/convert/identity.h"

#include "absl/strings/str_cat.h"
#include "server/convert/record_plan.h"
#include "server/errors.h"

namespace passerelle {

absl::StatusOr<StoredIdentity> ReadIdentity(const IdentityContext& context,
                                            const v1::Identity& identity) {
  const std::string ns_field = absl::StrCat(context.field, ".namespace");
  const std::string value_field = absl::StrCat(context.field, ".value");
  if (identity.namespace_().empty()) return errors::FieldRequired(ns_field);
  if (identity.value().empty()) return errors::FieldRequired(value_field);
  const storage::IdentityNamespace* ns = context.schema.FindNamespace(identity.namespace_());
  if (ns == nullptr) {
    return errors::UnknownNamespace(
        {ns_field, absl::StrCat("unknown namespace ", Quoted(identity.namespace_()))});
  }
  StoredIdentity read;
  read.ns = ns->number;
  const ValueProblem problem =
      NormalizeIdentity(IdentityRulesOf(*ns, context.region), identity.value(), &read.value);
  if (problem == ValueProblem::kOk) return read;
  return errors::FieldInvalid({value_field, std::string(Describe(problem))});
}

}  // namespace passerelle
