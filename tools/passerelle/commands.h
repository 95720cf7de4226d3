// The commands of `passerelle`. Each function adds one group to the command line.
#ifndef PASSERELLE_TOOLS_COMMANDS_H_
#define PASSERELLE_TOOLS_COMMANDS_H_

#include "tools/passerelle/session.h"

namespace passerelle::tools {

void AddInstances(CLI::App& app, Session& session);
void AddAttributes(CLI::App& app, Session& session);
void AddNamespaces(CLI::App& app, Session& session);
void AddProfiles(CLI::App& app, Session& session);
void AddImport(CLI::App& app, Session& session);
void AddDestinations(CLI::App& app, Session& session);
void AddSync(CLI::App& app, Session& session);
void AddPush(CLI::App& app, Session& session);  // push and replace
void AddAudiences(CLI::App& app, Session& session);
void AddMembers(CLI::App& app, Session& session);
void AddDeliveries(CLI::App& app, Session& session);
void AddLogs(CLI::App& app, Session& session);
void AddLogExport(CLI::App& logs, Session& session);  // export, tail and list, within `logs`
void AddReport(CLI::App& app, Session& session);
void AddSources(CLI::App& app, Session& session);
void AddConsumers(CLI::App& sources, Session& session);  // consumers, seek, pin, reconcile
void AddOutcomes(CLI::App& app, Session& session);       // by itself, and within `streams`
void AddStreams(CLI::App& app, Session& session);
void AddSuppressions(CLI::App& app, Session& session);
void AddQuarantine(CLI::App& app, Session& session);
void AddDenylist(CLI::App& app, Session& session);
void AddPrivacy(CLI::App& app, Session& session);
void AddArchive(CLI::App& privacy, Session& session);  // download, within `privacy`
void AddReceipt(CLI::App& privacy, Session& session);  // verify-receipt
void AddWhy(CLI::App& app, Session& session);
void AddBackup(CLI::App& app, Session& session);
void AddDoctor(CLI::App& app, Session& session);
void AddAccess(CLI::App& app, Session& session);  // credentials, roles, whoami
void AddAudit(CLI::App& app, Session& session);   // list, verify
void AddHealth(CLI::App& app, Session& session);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_COMMANDS_H_
