// Identities: what is a normal form stays as it is when it is normalised again.
#include "server/convert/normalize.h"
#include "server/convert/text.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace passerelle;
  if (size == 0) return 0;
  IdentityRules rules;
  rules.shape = static_cast<IdentityShape>(data[0] % 5);
  rules.trim = (data[0] & 8) != 0;
  rules.lower = (data[0] & 16) != 0;
  if ((data[0] & 32) != 0) rules.default_region = "FR";
  std::string once, twice;
  if (NormalizeIdentity(rules, TextOf(data + 1, size - 1), &once) != ValueProblem::kOk) return 0;
  Check(!once.empty() && IsUtf8(once) && !HasNul(once), "a normal form is text");
  Check(NormalizeIdentity(rules, once, &twice) == ValueProblem::kOk, "a normal form is taken");
  Check(once == twice, "and stays as it is");
  return 0;
}
