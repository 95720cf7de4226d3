#include <iostream>

#include "absl/strings/str_format.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"

namespace passerelle::tools {
namespace {

struct ReportFlags {
  std::string delivery;
  std::string audience;
};

std::string Percent(double rate) { return absl::StrFormat("%.1f %%", rate * 100); }

Json LineOf(const std::string& what, int64_t number, const std::string& rate = "") {
  return {{"what", what}, {"number", WithCommas(number)}, {"rate", rate}};
}

void PrintFailures(const v1::DeliveryReport& report) {
  Json rows = Json::array();
  for (const auto& failure : report.failures()) {
    rows.push_back({{"type", EnumWords(v1::FailureType_Name(failure.failure_type()))},
                    {"reason", failure.failure_reason()},
                    {"messages", WithCommas(failure.messages())}});
  }
  if (rows.empty()) return;
  std::cout << "\n";
  PrintTable(rows, {{"type", "FAILURE"}, {"reason", "REASON"}, {"messages", "MESSAGES"}});
}

void PrintReport(const v1::DeliveryReport& report) {
  Json rows = Json::array();
  rows.push_back(LineOf("processed", report.processed()));
  rows.push_back(LineOf("sent", report.sent()));
  rows.push_back(LineOf("failed", report.failed(), Percent(report.failure_rate())));
  if (report.pending() > 0) rows.push_back(LineOf("pending", report.pending()));
  if (report.cancelled() > 0) rows.push_back(LineOf("cancelled", report.cancelled()));
  rows.push_back(LineOf("opened (distinct)", report.distinct_opens(), Percent(report.open_rate())));
  rows.push_back(LineOf("opens (total)", report.total_opens()));
  rows.push_back(
      LineOf("clicked (distinct)", report.distinct_clicks(), Percent(report.click_rate())));
  rows.push_back(LineOf("clicks (total)", report.total_clicks()));
  rows.push_back(LineOf("opted out", report.distinct_opt_outs(), Percent(report.opt_out_rate())));
  if (report.seeds_and_proofs() > 0) {
    rows.push_back(LineOf("seeds and proofs", report.seeds_and_proofs()));
  }
  std::cout << report.name() << "\n";
  PrintTable(rows, {{"what", "MESSAGES"}, {"number", "NUMBER"}, {"rate", "RATE"}});
  PrintFailures(report);
}

absl::Status Report(Session& session, const ReportFlags& flags) {
  if (flags.delivery.empty() == flags.audience.empty()) {
    return absl::InvalidArgumentError("report: wanted a delivery, or --audience ID");
  }
  v1::GetDeliveryReportRequest request;
  request.set_name(flags.audience.empty() ? session.NameOf("deliveries", flags.delivery)
                                          : session.NameOf("audiences", flags.audience));
  auto report = session.Call(&v1::LogService::Stub::GetDeliveryReport, request);
  if (!report.ok()) return report.status();
  if (session.json()) {
    PrintJson(ToJson(*report));
  } else {
    PrintReport(*report);
  }
  return absl::OkStatus();
}

}  // namespace

void AddReport(CLI::App& app, Session& session) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* report = app.add_subcommand("report", "What became of a delivery's messages");
  report->add_option("delivery", flags->delivery, "The delivery");
  report->add_option("--audience", flags->audience, "All deliveries to this audience instead");
  session.OnRun(report, [&session, flags] { return Report(session, *flags); });
}

}  // namespace passerelle::tools
