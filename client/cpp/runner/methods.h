// Every unary method of the API by its name, through the client's own Call and pages.
#ifndef PASSERELLE_CLIENT_RUNNER_METHODS_H_
#define PASSERELLE_CLIENT_RUNNER_METHODS_H_

#include <functional>
#include <string>

#include "passerelle/client.h"
#include "runner/json.h"

namespace passerelle::runner {

struct Method {
  // Makes the call and tells its answer.
  std::function<Json(client::Client&, const Json& request, const client::CallOptions&)> call;
  // All items of its pages, from the repeated field of that name; empty if it has none.
  std::function<Json(client::Client&, const Json& request, const std::string& items)> pages;
};

// Of "passerelle.v1.AudienceService/GetAudience"; null if there is none.
const Method* FindMethod(const std::string& path);

}  // namespace passerelle::runner

#endif  // PASSERELLE_CLIENT_RUNNER_METHODS_H_
