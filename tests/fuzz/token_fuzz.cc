// Cursors and tokens: nothing but what this server signed is read. Half of the inputs are genuine
// tokens with a byte changed, so that the signature is what refuses them.
#include "server/convert/tokens.h"
#include "tests/fuzz/check.h"

namespace passerelle {
namespace {

const TokenCodec& Codec() {
  static const auto* codec = new TokenCodec(*KeyRing::Parse(
      "key 00000001 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"));
  return *codec;
}

template <class Token>
void TryToken(std::string_view text) {
  Token token;
  if (Codec().Decode(text, &token) == TokenProblem::kOk) {
    Check(Codec().Encode(token) == text, "a token that is read is one that was written");
  }
}

void TryForged(std::string_view text) {
  ExportCursor cursor;
  cursor.instance = "default";
  cursor.source = std::string(text.substr(0, 20));
  cursor.seq = text.size();
  std::string genuine = Codec().Encode(cursor);
  ExportCursor read;
  Check(Codec().Decode(genuine, &read) == TokenProblem::kOk, "what was written is read");
  Check(read.source == cursor.source && read.seq == cursor.seq, "as it was");
  if (text.size() < 2) return;
  const size_t at = static_cast<uint8_t>(text[0]) % genuine.size();
  if (genuine[at] == text[1]) return;
  genuine[at] = text[1];
  Check(Codec().Decode(genuine, &read) != TokenProblem::kOk, "a changed byte is found out");
}

}  // namespace
}  // namespace passerelle

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace passerelle;
  const std::string_view text = TextOf(data, size);
  TryToken<ExportCursor>(text);
  TryToken<MembersToken>(text);
  TryToken<PageToken>(text);
  TryToken<CommitToken>(text);
  TryForged(text);
  return 0;
}
