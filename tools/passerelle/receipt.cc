// Checks the receipt of an erasure; no server is asked.
#include <openssl/evp.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"

namespace passerelle::tools {
namespace {

constexpr std::size_t kPublicKeyBytes = 32;

struct Flags {
  std::string file;
  std::string public_key;  // hex; empty: that of the receipt is taken
};

struct Receipt {
  std::string statement;
  std::string signature;
  std::string public_key;
  std::string key_id;
};

absl::Status NoReceipt(const Flags& flags) {
  return absl::InvalidArgumentError(
      absl::StrCat(flags.file,
                   ": holds no receipt, wanted what `passerelle --json privacy get` "
                   "prints of an erasure that succeeded"));
}

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The receipt by itself, or the request that has it.
absl::StatusOr<Receipt> ReadReceipt(const Flags& flags) {
  std::ifstream file(flags.file, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(absl::StrCat(flags.file, ": cannot be read"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("receipt")) json = Json(json["receipt"]);
  if (!json.is_object()) return NoReceipt(flags);
  Receipt receipt;
  receipt.statement = TextOf(json, "statement");
  receipt.key_id = TextOf(json, "key_id");
  if (receipt.statement.empty() ||
      !absl::Base64Unescape(TextOf(json, "signature"), &receipt.signature) ||
      !absl::Base64Unescape(TextOf(json, "public_key"), &receipt.public_key) ||
      receipt.signature.empty() || receipt.public_key.empty()) {
    return NoReceipt(flags);
  }
  return receipt;
}

// Ed25519 (RFC 8032).
bool IsSigned(const Receipt& receipt) {
  if (receipt.public_key.size() != kPublicKeyBytes) return false;
  const auto bytes = [](const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(receipt.public_key),
                                  receipt.public_key.size()),
      EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  return key != nullptr && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(receipt.signature), receipt.signature.size(),
                          bytes(receipt.statement), receipt.statement.size()) == 1;
}

absl::Status CheckKeyText(const Flags& flags) {
  const bool hex = std::all_of(flags.public_key.begin(), flags.public_key.end(),
                               [](unsigned char c) { return absl::ascii_isxdigit(c); });
  if (flags.public_key.empty() || (hex && flags.public_key.size() == 2 * kPublicKeyBytes)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "--public-key: wanted 64 hexadecimal digits, as `passerelled keys list` prints them");
}

// Empty if it holds.
std::string FaultOf(const Flags& flags, const Receipt& receipt) {
  if (!IsSigned(receipt)) return "the signature is not of this statement and this key";
  const std::string wanted = absl::AsciiStrToLower(flags.public_key);
  if (!wanted.empty() && wanted != absl::BytesToHexString(receipt.public_key)) {
    return "it is signed with another key than --public-key";
  }
  return "";
}

void Tell(const Session& session, const Flags& flags, const Receipt& receipt,
          const std::string& fault) {
  const Json statement = Json::parse(receipt.statement, nullptr, /*allow_exceptions=*/false);
  const std::string key = absl::BytesToHexString(receipt.public_key);
  if (session.json()) {
    PrintJson(Json{{"holds", fault.empty()},
                   {"fault", fault},
                   {"key_id", receipt.key_id},
                   {"public_key", key},
                   {"statement", statement.is_discarded() ? Json(receipt.statement) : statement}});
    return;
  }
  if (!fault.empty()) {
    std::cout << flags.file << ": does NOT hold: " << fault << "\n";
    return;
  }
  std::cout << flags.file << ": holds, signed with key " << receipt.key_id << ", public key " << key
            << "\n";
  if (statement.is_object()) PrintFields(statement);
  if (flags.public_key.empty() && !session.quiet()) {
    std::cerr << "Whether that is the server's key `passerelled keys list` tells; --public-key "
                 "compares it.\n";
  }
}

absl::Status Verify(Session& session, const Flags& flags) {
  if (absl::Status status = CheckKeyText(flags); !status.ok()) return status;
  const auto receipt = ReadReceipt(flags);
  if (!receipt.ok()) return receipt.status();
  const std::string fault = FaultOf(flags, *receipt);
  Tell(session, flags, *receipt, fault);
  if (!fault.empty()) session.Fail();
  return absl::OkStatus();
}

}  // namespace

void AddReceipt(CLI::App& privacy, Session& session) {
  CLI::App* verify = privacy.add_subcommand(
      "verify-receipt",
      "Checks the receipt of an erasure, without a server; exit code 1: it does "
      "not hold");
  auto flags = std::make_shared<Flags>();
  verify->add_option("file", flags->file, "What `passerelle --json privacy get` printed")
      ->required();
  verify->add_option("--public-key", flags->public_key,
                     "The key that it must be signed with, as `passerelled keys list` prints it");
  session.OnRun(verify, [&session, flags] { return Verify(session, *flags); });
}

}  // namespace passerelle::tools
