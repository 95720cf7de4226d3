// Resource names: what is read is written as it was.
#include "server/convert/names.h"
#include "server/errors.h"
#include "tests/fuzz/check.h"

namespace passerelle {
namespace {

template <class Parse>
void TryName(Parse parse, std::string_view text) {
  const auto name = parse(NameText{"name", text});
  if (name.ok()) Check(ToText(*name) == text, "a name has one text");
}

void TryAll(std::string_view text) {
  TryName(ParseInstanceName, text);
  TryName(ParseAttributeName, text);
  TryName(ParseNamespaceName, text);
  TryName(ParseAudienceName, text);
  TryName(ParseDestinationName, text);
  TryName(ParseSourceName, text);
  TryName(ParseDeliveryName, text);
  TryName(ParseWriteStreamName, text);
  TryName(ParseProfileName, text);
  TryName(ParseConsumerName, text);
  for (const IdForm form :
       {IdForm::kInstance, IdForm::kColumn, IdForm::kResource, IdForm::kStream}) {
    Check(IsId(form, text) == CheckId(form, {"id", text}).ok(), "an id is one or is not");
  }
  Check(Quoted(text).size() <= 140, "an error shows little of what came");
}

}  // namespace
}  // namespace passerelle

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  passerelle::TryAll(TextOf(data, size));
  return 0;
}
