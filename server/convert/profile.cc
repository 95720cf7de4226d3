#include "server/convert/profile.h"

#include "server/convert/fields.h"
#include "server/convert/readable.h"

namespace passerelle {

v1::Profile ToProto(const ProfileShape& shape, const storage::Profile& profile) {
  v1::Profile shown;
  shown.set_name(ToText(ProfileName{shape.instance.instance, profile.id}));
  for (const auto& [number, value] : profile.identities) {
    const storage::IdentityNamespace* ns = shape.schema.FindNamespace(number);
    if (ns == nullptr) continue;
    v1::Identity* identity = shown.add_identities();
    identity->set_namespace_(ns->id);
    identity->set_value(value);
  }
  for (const auto& [number, cell] : profile.attributes) {
    const storage::Attribute* attribute = shape.schema.FindAttribute(number);
    if (attribute == nullptr) continue;
    (*shown.mutable_attributes())[attribute->id] = RenderValue(attribute->type, cell);
  }
  for (const auto& [number, time_us] : profile.attribute_times_us) {
    const storage::Attribute* attribute = shape.schema.FindAttribute(number);
    if (attribute == nullptr) continue;
    (*shown.mutable_attribute_times())[attribute->id] = ToTimestamp(time_us);
  }
  shown.set_known(profile.known);
  *shown.mutable_create_time() = ToTimestamp(profile.create_us);
  *shown.mutable_update_time() = ToTimestamp(profile.update_us);
  return shown;
}

}  // namespace passerelle
