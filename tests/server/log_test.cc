#include "server/log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace passerelle {
namespace {

class LogLines : public testing::Test {
 protected:
  LogLines() {
    StartLog(LogLevel::kInfo);
    RedirectLog([this](std::string_view line) { lines_.emplace_back(line); });
  }
  ~LogLines() override { RedirectLog({}); }

  std::vector<std::string> lines_;
};

TEST_F(LogLines, ALineIsOneJsonObjectWithItsFieldsInOrder) {
  Log(LogLevel::kWarning, "drain",
      {{"calls", 3}, {"seconds", 0.5}, {"forced", true}, {"address", "127.0.0.1:1"}});
  ASSERT_EQ(lines_.size(), 1u);
  const auto line = nlohmann::json::parse(lines_[0]);
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "drain");
  EXPECT_EQ(line["calls"], 3);
  EXPECT_EQ(line["seconds"], 0.5);
  EXPECT_EQ(line["forced"], true);
  EXPECT_EQ(line["address"], "127.0.0.1:1");
  EXPECT_EQ(lines_[0].find("{\"time\":\"20"), 0u);
  EXPECT_NE(lines_[0].find("Z\",\"level\""), std::string::npos);
}

TEST_F(LogLines, QuotesLineEndsAndBadBytesCannotBreakALine) {
  Log(LogLevel::kInfo, "text", {{"value", std::string("a\"b\nc\xFFz{}\0y", 11)}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].find('\n'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(lines_[0])["value"],
            std::string("a\"b\nc\xEF\xBF\xBDz{}\0y", 13));
}

TEST_F(LogLines, LinesBelowTheThresholdAreNotWritten) {
  Log(LogLevel::kDebug, "detail");
  EXPECT_TRUE(lines_.empty());
  StartLog(LogLevel::kError);
  Log(LogLevel::kWarning, "warning");
  EXPECT_TRUE(lines_.empty());
  StartLog(LogLevel::kDebug);
  Log(LogLevel::kDebug, "detail");
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(LogLines, ProtobufsOwnMessagesKeepTheirPlaceAndLoseTheirText) {
  GOOGLE_LOG(ERROR) << "String field contains ada@example.com";
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(lines_[0])["event"], "protobuf");
  EXPECT_EQ(nlohmann::json::parse(lines_[0])["file"], "log_test.cc");
  EXPECT_EQ(lines_[0].find("ada"), std::string::npos);
}

TEST_F(LogLines, GrpcsOwnErrorsBecomeLines) {
  gpr_log(GPR_ERROR, "address in use");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(lines_[0])["event"], "grpc");
}

TEST_F(LogLines, ThreadsDoNotMixTheirLines) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) Log(LogLevel::kInfo, "tick", {{"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(lines_.size(), 800u);
  for (const std::string& line : lines_) EXPECT_EQ(nlohmann::json::parse(line)["event"], "tick");
}

TEST(LogLevels, NamesAreRead) {
  LogLevel level = LogLevel::kOff;
  EXPECT_TRUE(ParseLogLevel("warning", &level));
  EXPECT_EQ(level, LogLevel::kWarning);
  EXPECT_FALSE(ParseLogLevel("loud", &level));
}

}  // namespace
}  // namespace passerelle
