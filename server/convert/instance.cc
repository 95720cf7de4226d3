#include "server/convert/instance.h"

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/convert/names.h"
#include "server/convert/normalize.h"
#include "server/errors.h"
#include "storage/schema.h"
#include "storage/status.h"

namespace passerelle {
namespace {

struct Measure {
  const char* name;
  int64_t used;
  int64_t limit;
  const char* unit;
};

v1::GetUsageResponse::Disk::State StateOf(const storage::DiskSpace& disk) {
  switch (disk.state) {
    case storage::DiskState::kOpen:
      return v1::GetUsageResponse::Disk::STATE_OPEN;
    case storage::DiskState::kLow:
      return v1::GetUsageResponse::Disk::STATE_LOW;
    case storage::DiskState::kReserve:
      break;
  }
  return v1::GetUsageResponse::Disk::STATE_RESERVE;
}

}  // namespace

v1::Instance ToProto(const storage::Instance& instance) {
  v1::Instance shown;
  shown.set_name(ToText(InstanceName{instance.id}));
  shown.set_display_name(instance.display_name);
  shown.set_time_zone(instance.time_zone);
  shown.set_default_phone_region(instance.default_region);
  *shown.mutable_create_time() = ToTimestamp(instance.create_us);
  *shown.mutable_update_time() = ToTimestamp(instance.update_us);
  shown.set_etag(instance.etag);
  return shown;
}

absl::StatusOr<storage::Instance> ReadInstance(const v1::Instance& instance, std::string id) {
  RETURN_IF_ERROR(CheckLabel({"instance.display_name", instance.display_name()}));
  const std::string& region = instance.default_phone_region();
  if (!region.empty() && !IsPhoneRegion(region)) {
    return errors::FieldInvalid(
        {"instance.default_phone_region",
         absl::StrCat("got ", Quoted(region), ", wanted a region of two letters such as FR")});
  }
  storage::Instance read;
  read.id = std::move(id);
  read.display_name = instance.display_name();
  read.time_zone = instance.time_zone().empty() ? "UTC" : instance.time_zone();
  read.default_region = region;
  return read;
}

v1::GetUsageResponse ToProto(const storage::Usage& usage) {
  const Measure measures[] = {
      {"profiles", usage.profiles, 0, "rows"},
      {"attributes", usage.attributes, storage::kAttributesMax, "rows"},
      {"identity_namespaces", usage.identity_namespaces, storage::kNamespacesMax, "rows"},
      {"audiences", usage.audiences, 0, "rows"},
      {"destinations", usage.destinations, 0, "rows"},
      {"sources", usage.sources, 0, "rows"},
      {"deliveries", usage.deliveries, 0, "rows"},
      {"log_rows", usage.log_rows, 0, "rows"},
      {"write_streams", usage.write_streams, 0, "rows"},
      {"consumers", usage.consumers, 0, "rows"},
      {"consumers_behind", usage.consumers_behind, 0, "rows"},
      {"consumers_expired", usage.consumers_expired, 0, "rows"},
      {"database_bytes", usage.database_bytes, 0, "bytes"},
  };
  v1::GetUsageResponse shown;
  for (const Measure& measure : measures) {
    auto* added = shown.add_measures();
    added->set_name(measure.name);
    added->set_used(measure.used);
    added->set_limit(measure.limit);
    added->set_unit(measure.unit);
  }
  auto* disk = shown.mutable_disk();
  disk->set_state(StateOf(usage.disk));
  disk->set_free_bytes(usage.disk.free_bytes);
  disk->set_low_bytes(usage.disk.low_bytes);
  disk->set_reserve_bytes(usage.disk.reserve_bytes);
  return shown;
}

}  // namespace passerelle
