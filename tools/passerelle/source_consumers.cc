// `passerelle sources consumers`, `seek`, `pin` and `reconcile`: who reads a source, and how far.
#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::SourceService::Stub;

struct ConsumerFlags {
  std::string id;
  std::string consumer = "default";
  std::string to;
  std::string wait;
  std::string start, end, window;
};

std::string NameOf(const Session& session, const ConsumerFlags& flags) {
  return session.NameOf("sources", flags.id) + "/consumers/" + flags.consumer;
}

absl::Status List(Session& session, const std::string& id) {
  v1::ListConsumersRequest request;
  request.set_parent(session.NameOf("sources", id));
  const ListCommand list = {"",
                            "consumers",
                            {{"name", "CONSUMER"},
                             {"state", "STATE"},
                             {"acknowledged_sequence", "DONE UP TO"},
                             {"lag", "BEHIND BY"},
                             {"lag_time", "FOR"},
                             {"pin_used_percent", "OF ITS WAIT %"},
                             {"expire_time", "EXPIRES"},
                             {"acknowledge_time", "LAST TOLD"}}};
  return PrintAllPages(session, list, &Stub::ListConsumers, request);
}

absl::Status Seek(Session& session, const ConsumerFlags& flags) {
  v1::SeekRequest request;
  request.set_name(NameOf(session, flags));
  if (flags.to == "beginning") {
    request.set_beginning(true);
  } else if (flags.to == "end") {
    request.set_end(true);
  } else if (auto time = ParseTime("--to", flags.to); time.ok()) {
    *request.mutable_append_time() = *time;
  } else {
    request.set_cursor(flags.to);
  }
  auto consumer = session.Call(&Stub::Seek, request);
  if (consumer.ok()) PrintResource(*consumer, session.json());
  return consumer.status();
}

absl::Status Pin(Session& session, const ConsumerFlags& flags) {
  v1::UpdateConsumerRequest request;
  v1::Consumer* consumer = request.mutable_consumer();
  consumer->set_name(NameOf(session, flags));
  if (flags.wait == "ever") {
    consumer->set_pin_forever(true);
  } else if (flags.wait != "default") {
    auto wait = ParseDuration("--for", flags.wait);
    if (!wait.ok()) return wait.status();
    *consumer->mutable_max_pin() = *wait;
  }
  auto updated = session.Call(&Stub::UpdateConsumer, request);
  if (updated.ok()) PrintResource(*updated, session.json());
  return updated.status();
}

absl::Status FillWindows(const ConsumerFlags& flags, v1::ReconcileRequest* request) {
  auto start = ParseTime("--from", flags.start);
  if (!start.ok()) return start.status();
  *request->mutable_start_time() = *start;
  if (!flags.end.empty()) {
    auto end = ParseTime("--to", flags.end);
    if (!end.ok()) return end.status();
    *request->mutable_end_time() = *end;
  }
  if (flags.window.empty()) return absl::OkStatus();
  auto window = ParseDuration("--by", flags.window);
  if (window.ok()) *request->mutable_granularity() = *window;
  return window.status();
}

absl::Status Reconcile(Session& session, const ConsumerFlags& flags) {
  v1::ReconcileRequest request;
  request.set_name(NameOf(session, flags));
  absl::Status filled = FillWindows(flags, &request);
  if (!filled.ok()) return filled;
  auto result = session.Call(&Stub::Reconcile, request);
  if (!result.ok()) return result.status();
  const Json shown = ToJson(*result);
  if (session.json()) {
    PrintJson(shown);
    return absl::OkStatus();
  }
  Json rows = Json::array();
  for (const Json& window : shown["windows"]) rows.push_back(window);
  if (rows.size() > 1) rows.push_back(shown["total"]);
  PrintTable(rows, {{"start_time", "FROM"},
                    {"end_time", "TO"},
                    {"appended", "APPENDED"},
                    {"exported", "EXPORTED"},
                    {"skipped", "SKIPPED"},
                    {"pending", "PENDING"},
                    {"purged", "PURGED"}});
  return absl::OkStatus();
}

CLI::App* AddOne(CLI::App& group, const std::string& verb, const std::string& description,
                 ConsumerFlags& flags) {
  CLI::App* added = group.add_subcommand(verb, description);
  added->add_option("id", flags.id, "The source")->required();
  added->add_option("--consumer", flags.consumer, "The consumer")->capture_default_str();
  return added;
}

}  // namespace

void AddConsumers(CLI::App& sources, Session& session) {
  CLI::App* list = sources.add_subcommand("consumers", "Who reads it, and how far");
  auto id = std::make_shared<std::string>();
  list->add_option("id", *id, "The source")->required();
  session.OnRun(list, [&session, id] { return List(session, *id); });

  auto flags = std::make_shared<ConsumerFlags>();
  CLI::App* seek = AddOne(sources, "seek", "Moves a consumer, also back", *flags);
  seek->add_option("--to", flags->to, "beginning, end, a time, or a cursor")->required();
  session.OnRun(seek, [&session, flags] { return Seek(session, *flags); });

  CLI::App* pin = AddOne(sources, "pin", "Says how long rows wait for a consumer", *flags);
  pin->add_option("--for", flags->wait, "30d, 6h..., ever, or default: as the server is set")
      ->required();
  session.OnRun(pin, [&session, flags] { return Pin(session, *flags); });

  CLI::App* reconcile =
      AddOne(sources, "reconcile", "Counts appended, exported and pending rows", *flags);
  reconcile->add_option("--from", flags->start, "Rows appended from this time on")->required();
  reconcile->add_option("--to", flags->end, "Rows appended before this time; until now by default");
  reconcile->add_option("--by", flags->window, "Length of a window: 1h, 1d; all in one by default");
  session.OnRun(reconcile, [&session, flags] { return Reconcile(session, *flags); });
}

}  // namespace passerelle::tools
