#include "server/services/requests.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"
#include "server/errors.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr char kField[] = "commit_token";
constexpr char kRequestId[] = "request_id";
constexpr std::size_t kUuidLength = 36;

bool IsUuid(const std::string& text) {
  if (text.size() != kUuidLength) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(text[i])) return false;
  }
  return true;
}

// Maps have no order of their own: only the deterministic form is the same twice.
std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<storage::InstanceStore>> OpenInstance(const ServiceContext& context,
                                                                     const std::string& instance) {
  auto opened = context.store->OpenInstance(instance);
  if (opened.ok() || storage::ReasonOf(opened.status()) != storage::Reason::kNotFound) {
    return opened;
  }
  return errors::ResourceNotFound(absl::StrCat("instances/", instance));
}

std::string MakeCommitToken(const ServiceContext& context, std::string_view instance,
                            const storage::CommitPosition& position) {
  CommitToken token;
  token.file = absl::StrCat(AbslView(instance), "/", std::string(1, position.file));
  token.epoch = static_cast<uint64_t>(position.epoch);
  token.seq = static_cast<uint64_t>(position.sequence);
  return context.tokens->Encode(token);
}

absl::Status AwaitCommit(const ServiceContext& context, storage::InstanceStore& instance,
                         const std::string& token, const storage::ReadContext& read) {
  if (token.empty()) return absl::OkStatus();
  CommitToken decoded;
  const TokenProblem problem = context.tokens->Decode(token, &decoded);
  if (problem != TokenProblem::kOk) {
    return errors::CommitTokenInvalid({kField, std::string(Describe(problem))});
  }
  const std::size_t slash = decoded.file.rfind('/');
  if (slash == std::string::npos || slash + 2 != decoded.file.size()) {
    return errors::CommitTokenInvalid({kField, "of no file of this store"});
  }
  const char file = decoded.file.back();
  if (file == 'c') return absl::OkStatus();  // what the registry wrote is visible at once
  if (decoded.file.substr(0, slash) != instance.id()) {
    return errors::CommitTokenInvalid(
        {kField, std::string(Describe(TokenProblem::kOtherInstance))});
  }
  return instance.WaitFor(
      {file, static_cast<int64_t>(decoded.epoch), static_cast<int64_t>(decoded.seq)}, read);
}

absl::StatusOr<std::optional<storage::RequestKey>> MakeRequestKey(
    std::string_view method, const google::protobuf::Message& request) {
  const auto* field = request.GetDescriptor()->FindFieldByName(kRequestId);
  if (field == nullptr) return std::optional<storage::RequestKey>();
  std::string id = request.GetReflection()->GetString(request, field);
  if (id.empty()) return std::optional<storage::RequestKey>();
  if (!IsUuid(id)) {
    return errors::FieldInvalid(
        {kRequestId, absl::StrCat("got ", Quoted(id), ", wanted a UUID of 36 characters")});
  }
  const std::unique_ptr<google::protobuf::Message> rest(request.New());
  rest->CopyFrom(request);
  rest->GetReflection()->ClearField(rest.get(), field);
  const Sha256Digest digest = Sha256(DeterministicBytes(*rest));
  return std::optional<storage::RequestKey>(storage::RequestKey{
      absl::AsciiStrToLower(id), std::string(method),
      std::string(reinterpret_cast<const char*>(digest.data()), digest.size())});
}

}  // namespace passerelle
