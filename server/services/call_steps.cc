#include "server/services/call_steps.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/errors.h"

namespace passerelle {
namespace {

std::string MetadataValue(const absl::Status& status, const char* key) {
  for (const auto& [name, value] : storage::MetadataOf(status)) {
    if (name == key) return value;
  }
  return {};
}

}  // namespace

absl::StatusOr<Reading> BeginReading(const ServiceContext& context, const CallContext& call,
                                     const ReadTarget& target) {
  Reading reading;
  ASSIGN_OR_RETURN(reading.instance, OpenInstance(context, target.instance));
  reading.context = call.ForReading();
  RETURN_IF_ERROR(AwaitCommit(context, *reading.instance, target.commit_token, reading.context));
  return reading;
}

absl::Status CheckCommitToken(const ServiceContext& context, const std::string& token) {
  CommitToken decoded;
  const TokenProblem problem =
      token.empty() ? TokenProblem::kOk : context.tokens->Decode(token, &decoded);
  if (problem == TokenProblem::kOk) return absl::OkStatus();
  return errors::CommitTokenInvalid({"commit_token", std::string(Describe(problem))});
}

void TellCommit(const ServiceContext& context, const Committed& commit, CallContext& call) {
  if (commit.position.file == 0) return;
  call.AddTrailer("commit-token", MakeCommitToken(context, commit.instance, commit.position));
}

absl::Status ForResource(absl::Status status, const std::string& name) {
  switch (storage::ReasonOf(status)) {
    case storage::Reason::kNotFound:
      return errors::ResourceNotFound(name);
    case storage::Reason::kAlreadyExists:
      return errors::ResourceAlreadyExists(name);
    case storage::Reason::kNotPaused:
      return errors::NotPaused(name);
    case storage::Reason::kInUse:
      return errors::ResourceInUse(
          name, absl::StrSplit(MetadataValue(status, "dependents"), ',', absl::SkipEmpty()));
    default:
      return status;
  }
}

absl::Status WithFieldPath(absl::Status status, const std::string& path) {
  const std::string field = MetadataValue(status, "field");
  if (field.empty()) return status;
  FieldProblem problem{absl::StrCat(path, ".", field), std::string(status.message())};
  switch (storage::ReasonOf(status)) {
    case storage::Reason::kUnknownAttribute:
      return errors::UnknownAttribute(std::move(problem));
    case storage::Reason::kUnknownNamespace:
      return errors::UnknownNamespace(std::move(problem));
    case storage::Reason::kAttributeNotWritable:
      return errors::AttributeNotWritable(std::move(problem));
    default:
      return status;
  }
}

}  // namespace passerelle
