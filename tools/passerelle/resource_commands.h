// The commands that every resource has alike: list, get, delete, pause, resume.
#ifndef PASSERELLE_TOOLS_RESOURCE_COMMANDS_H_
#define PASSERELLE_TOOLS_RESOURCE_COMMANDS_H_

#include <google/protobuf/empty.pb.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tools/passerelle/output.h"
#include "tools/passerelle/session.h"

namespace passerelle::tools {

// A command that names one resource: its verb, what it says of itself, the collection of the name.
struct NameCommand {
  std::string verb;
  std::string description;
  std::string collection;
};

inline void PrintDone(const Session& session, const std::string& name, const std::string& verb) {
  if (session.json()) {
    PrintJson(Json{{"name", name}, {"done", verb}});
  } else if (!session.quiet()) {
    std::cout << name << ": " << verb << " done\n";
  }
}

// Adds `verb ID`: calls `method` with the name, prints what comes back.
template <typename Stub, typename Request, typename Response>
CLI::App* AddByName(CLI::App* group, Session& session, const NameCommand& command,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  CLI::App* added = group->add_subcommand(command.verb, command.description);
  auto id = std::make_shared<std::string>();
  added->add_option("id", *id, "Its id, or its whole name")->required();
  session.OnRun(added, [&session, command, method, id]() -> absl::Status {
    Request request;
    request.set_name(session.NameOf(command.collection, *id));
    absl::StatusOr<Response> response = session.Call(method, request);
    if (!response.ok()) return response.status();
    if constexpr (std::is_same_v<Response, google::protobuf::Empty>) {
      PrintDone(session, request.name(), command.verb);
    } else {
      PrintResource(*response, session.json());
    }
    return absl::OkStatus();
  });
  return added;
}

// What a list shows: the field of the response that holds the rows, and the columns.
struct ListCommand {
  std::string description;
  std::string key;
  std::vector<TableColumn> columns;
};

// Reads all pages of a list and prints them.
template <typename Stub, typename Request, typename Response>
absl::Status PrintAllPages(Session& session, const ListCommand& list,
                           grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                        Response*),
                           const Request& request) {
  Json rows = Json::array();
  absl::Status status = ForEachPage(session, method, request, [&](const Response& page) {
    const Json json = ToJson(page);
    for (const Json& row : json[list.key]) rows.push_back(row);
  });
  if (status.ok()) PrintList(list.key, rows, list.columns, session.json());
  return status;
}

// Adds `list` for resources of the instance.
template <typename Stub, typename Request, typename Response>
void AddList(CLI::App* group, Session& session, const ListCommand& list,
             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  CLI::App* added = group->add_subcommand("list", list.description);
  session.OnRun(added, [&session, list, method]() {
    Request request;
    request.set_parent(session.InstanceName());
    request.set_page_size(1'000);
    return PrintAllPages(session, list, method, request);
  });
}

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_RESOURCE_COMMANDS_H_
