// The scenario's steps.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/status.h"
#include "tests/crash/io_faults/scenario_steps.h"

namespace passerelle::crash {
namespace {

constexpr Range kFirstHalf{0, 60};
constexpr Range kSecondHalf{60, 99};
constexpr Range kLast{99, 100};
constexpr Range kSynced{10, 50};
constexpr Range kPushed{0, 30};
constexpr Range kBefore{80, 90};
constexpr Range kReplaced{20, 60};
constexpr Range kSent{0, 90};
constexpr Range kOptedOut{0, 12};

constexpr int64_t kAcknowledged = 2;

bool Any(const storage::Profile&) { return true; }

Step MakeAttribute(const std::string& id, storage::AttributeType type,
                   std::optional<storage::Consent> consent = std::nullopt) {
  Step step;
  step.name = absl::StrCat("create attribute ", id);
  step.run = [=](World& world) {
    storage::Attribute attribute;
    attribute.id = id;
    attribute.type = type;
    attribute.consent = consent;
    return world.instance->schema().CreateAttribute(attribute, {}).status();
  };
  step.look = [=](World& world) -> absl::StatusOr<Seen> {
    const bool there = world.instance->schema().schema()->FindAttribute(id) != nullptr;
    return there ? Seen::kPresent : Seen::kAbsent;
  };
  return step;
}

Step MakeAudience(const std::string& id) {
  Step step;
  step.name = absl::StrCat("create audience ", id);
  step.run = [=](World& world) {
    storage::Audience audience;
    audience.id = id;
    return world.instance->audiences().CreateAudience(audience, {}).status();
  };
  step.look = [=](World& world) {
    return SeenBy(world.instance->audiences().GetAudience(id, {}).status());
  };
  return step;
}

Step MakeDestination(const std::string& id, storage::SyncType type,
                     std::vector<std::string> audiences) {
  Step step;
  step.name = absl::StrCat("create destination ", id);
  step.run = [=](World& world) {
    storage::Destination destination;
    destination.id = id;
    destination.sync_type = type;
    destination.namespace_order = {"external_id"};
    for (const std::string& audience : audiences) {
      destination.audiences.push_back({audience, audience, {}});
    }
    return world.instance->flows().CreateDestination(destination, {}).status();
  };
  step.look = [=](World& world) {
    return SeenBy(world.instance->flows().GetDestination(id, {}).status());
  };
  return step;
}

Step ImportStep(Range range, int64_t offset, size_t until = 0) {
  Step step;
  step.name = absl::StrCat("import from ", range.first);
  step.rows = range.size();
  step.until = until;
  step.run = [=](World& world) { return Import(world, "import", range, offset); };
  step.look = [=](World& world) -> absl::StatusOr<Seen> {
    ASSIGN_OR_RETURN(const int64_t there, CountProfiles(world, range, Any));
    return SeenOf(there, range.size());
  };
  return step;
}

Step SyncStep() {
  Step step;
  step.name = "sync";
  step.rows = kSynced.size();
  step.run = [](World& world) { return Sync(world, kSynced); };
  step.look = [](World& world) -> absl::StatusOr<Seen> {
    const auto synced = [&](const storage::Profile& profile) {
      return IntOf(world, profile, "age") == 7;
    };
    ASSIGN_OR_RETURN(const int64_t there, CountProfiles(world, {0, 100}, synced));
    return SeenOf(there, kSynced.size());
  };
  return step;
}

Step PushStep(const std::string& audience, Range range, size_t until = 0) {
  Step step;
  step.name = absl::StrCat("push to ", audience);
  step.rows = range.size();
  step.until = until;
  step.run = [=](World& world) { return Push(world, audience, range); };
  step.look = [=](World& world) -> absl::StatusOr<Seen> {
    const auto there = CountMembers(world, audience);
    if (absl::IsNotFound(there.status())) return Seen::kAbsent;
    RETURN_IF_ERROR(there.status());
    return SeenOf(*there, range.size());
  };
  return step;
}

Step StageStep() {
  Step step;
  step.name = "stage a replace";
  step.rows = kReplaced.size();
  step.run = [](World& world) { return StageReplace(world, kReplaced); };
  step.look = [](World& world) -> absl::StatusOr<Seen> {
    const auto stream = world.instance->streams().GetStream("replace", {});
    if (absl::IsNotFound(stream.status())) return Seen::kAbsent;
    RETURN_IF_ERROR(stream.status());
    return SeenOf(stream->next_offset, kReplaced.size());
  };
  return step;
}

Step PublishStep() {
  Step step;
  step.name = "publish the replace";
  step.run = [](World& world) { return PublishReplace(world, kReplaced.size()); };
  step.look = [](World& world) -> absl::StatusOr<Seen> {
    const auto there = CountMembers(world, "replaced");
    if (absl::IsNotFound(there.status()) || (there.ok() && *there == 0)) return Seen::kAbsent;
    RETURN_IF_ERROR(there.status());
    return SeenOf(*there, kReplaced.size(), kBefore.size());
  };
  return step;
}

Step MakeDelivery() {
  Step step;
  step.name = "create delivery d";
  step.run = [](World& world) {
    storage::Delivery delivery;
    delivery.id = "d";
    delivery.channel = "email";
    return world.instance->logs().CreateDelivery(delivery, {}).status();
  };
  step.look = [](World& world) {
    return SeenBy(world.instance->logs().GetDelivery("d", {}).status());
  };
  return step;
}

Step AppendStep(Range range, int64_t offset, bool opt_out) {
  Step step;
  step.name = opt_out ? "append opt-outs" : "append sends";
  step.rows = range.size();
  step.run = [=](World& world) { return Append(world, range, offset, opt_out); };
  const auto kind = opt_out ? storage::LogKind::kTracking : storage::LogKind::kDelivery;
  step.look = [=](World& world) -> absl::StatusOr<Seen> {
    ASSIGN_OR_RETURN(const int64_t there, CountLogRows(world, kind));
    return SeenOf(there, range.size());
  };
  return step;
}

// Done by the follower, behind the append's back; looked for only once it has had its time.
Step FollowStep() {
  Step step;
  step.name = "carry the opt-outs over";
  step.in_turns = true;
  step.run = [](World& world) -> absl::Status {
    ASSIGN_OR_RETURN(const auto bounds, world.instance->logs().Bounds({}));
    const absl::Time give_up = absl::Now() + absl::Seconds(5);
    absl::Status waited;
    do {
      storage::ReadContext soon;
      soon.deadline = absl::Now() + absl::Milliseconds(100);
      waited = world.instance->WaitFor({'l', bounds.epoch, bounds.end}, soon);
    } while (!waited.ok() && world.store->CheckReady().ok() && absl::Now() < give_up);
    return waited;
  };
  step.look = [run = step.run](World& world) -> absl::StatusOr<Seen> {
    RETURN_IF_ERROR(run(world));
    const auto opted_out = [&](const storage::Profile& profile) {
      return IntOf(world, profile, "email_ok") == 0;
    };
    ASSIGN_OR_RETURN(const int64_t there, CountProfiles(world, {0, 100}, opted_out));
    return SeenOf(there, kOptedOut.size());
  };
  return step;
}

Step MakeInstance(const std::string& id, size_t until = 0) {
  Step step;
  step.name = absl::StrCat("create instance ", id);
  step.until = until;
  step.run = [=](World& world) {
    storage::Instance instance;
    instance.id = id;
    return world.store->CreateInstance(instance, {}).status();
  };
  step.look = [=](World& world) { return SeenBy(world.store->OpenInstance(id).status()); };
  return step;
}

Step DeleteInstance(const std::string& id) {
  Step step;
  step.name = absl::StrCat("delete instance ", id);
  step.in_turns = true;
  step.run = [=](World& world) {
    const absl::Status deleted = world.store->DeleteInstance(id, {});
    return absl::IsNotFound(deleted) ? absl::OkStatus() : deleted;
  };
  step.look = [=](World& world) -> absl::StatusOr<Seen> {
    ASSIGN_OR_RETURN(const Seen there, SeenBy(world.store->GetInstance(id).status()));
    return there == Seen::kAbsent ? Seen::kPresent : Seen::kAbsent;
  };
  return step;
}

Step MakeConsumer() {
  Step step;
  step.name = "create consumer";
  step.run = [](World& world) {
    return world.instance->logs().CreateConsumer("nightly", "c", {}, {}).status();
  };
  step.look = [](World& world) {
    return SeenBy(world.instance->logs().GetConsumer("nightly", "c", {}).status());
  };
  return step;
}

Step AcknowledgeStep() {
  Step step;
  step.name = "acknowledge";
  step.run = [](World& world) {
    return world.instance->logs().Acknowledge("nightly", "c", kAcknowledged).status();
  };
  step.look = [](World& world) -> absl::StatusOr<Seen> {
    const auto consumer = world.instance->logs().GetConsumer("nightly", "c", {});
    if (absl::IsNotFound(consumer.status())) return Seen::kAbsent;
    RETURN_IF_ERROR(consumer.status());
    return SeenOf(consumer->acknowledged_sequence, kAcknowledged);
  };
  return step;
}

Step DeleteProfileStep() {
  Step step;
  step.name = "delete a profile";
  step.run = [](World& world) -> absl::Status {
    const auto ns = world.instance->schema().schema()->FindNamespace("external_id")->number;
    const auto id = world.instance->profiles().LookupProfile(ns, "99", {});
    if (absl::IsNotFound(id.status())) return absl::OkStatus();
    RETURN_IF_ERROR(id.status());
    return world.instance->profiles().DeleteProfile(*id, {}).status();
  };
  step.look = [](World& world) -> absl::StatusOr<Seen> {
    ASSIGN_OR_RETURN(const int64_t there, CountProfiles(world, kLast, Any));
    return there == 0 ? Seen::kPresent : Seen::kAbsent;
  };
  return step;
}

std::vector<Step> MakeSteps() {
  using Type = storage::AttributeType;
  std::vector<Step> steps;
  const auto add = [&](Step step, std::vector<size_t> needs = {}) {
    step.needs = std::move(needs);
    steps.push_back(std::move(step));
    return steps.size() - 1;
  };
  const size_t city = add(MakeAttribute("city", Type::kString));
  const size_t age = add(MakeAttribute("age", Type::kInt64));
  const size_t email_ok =
      add(MakeAttribute("email_ok", Type::kBool, storage::Consent{"email", "", false}));
  const size_t pushed = add(MakeAudience("pushed"));
  const size_t replaced = add(MakeAudience("replaced"));
  const size_t sync = add(MakeDestination("sync", storage::SyncType::kProfileSync, {}));
  const size_t push =
      add(MakeDestination("push", storage::SyncType::kAudienceSync, {"pushed", "replaced"}),
          {pushed, replaced});
  const size_t first = add(ImportStep(kFirstHalf, 0), {city});
  const size_t second = add(ImportStep(kSecondHalf, kFirstHalf.size()), {first});
  const size_t last = add(ImportStep(kLast, kLast.first), {second});
  add(SyncStep(), {sync, age, first});
  add(PushStep("pushed", kPushed), {push, first});
  const size_t before = add(PushStep("replaced", kBefore), {push, second});
  const size_t staged = add(StageStep(), {before});
  steps[before].until = add(PublishStep(), {staged});
  const size_t delivery = add(MakeDelivery());
  const size_t sent = add(AppendStep(kSent, 0, false), {delivery, second});
  const size_t one = add(MakeInstance("one"));
  const size_t two = add(MakeInstance("two"), {one});
  const size_t opted_out = add(AppendStep(kOptedOut, kSent.size(), true), {sent, email_ok});
  add(FollowStep(), {opted_out});
  const size_t consumer = add(MakeConsumer());
  add(AcknowledgeStep(), {consumer, opted_out});
  steps[two].until = add(DeleteInstance("two"), {two});
  steps[last].until = add(DeleteProfileStep(), {last});
  return steps;
}

}  // namespace

const std::vector<Step>& Steps() {
  static const auto* const steps = new std::vector<Step>(MakeSteps());
  return *steps;
}

}  // namespace passerelle::crash
