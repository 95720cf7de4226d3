#include "server/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace passerelle {
namespace {

// The options, or a failed test.
Options Parsed(std::vector<std::string> arguments) {
  const absl::StatusOr<ParsedOptions> parsed = ParseOptions(std::move(arguments));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->options : Options();
}

std::string Refusal(std::vector<std::string> arguments) {
  const absl::StatusOr<ParsedOptions> parsed = ParseOptions(std::move(arguments));
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(std::filesystem::path(testing::TempDir()) /
              ("options." + std::to_string(::getpid()) + ".toml")) {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST(Options, DefaultsNeedOnlyADataDirectory) {
  const Options options = Parsed({"--data", "d/"});
  EXPECT_EQ(options.data, "d/");
  EXPECT_EQ(options.listen, "127.0.0.1:7701");
  EXPECT_EQ(options.EffectiveKeyFile(), "d.key");
  EXPECT_EQ(options.EffectiveErasureJournal(), "d.erasures");
  EXPECT_FALSE(options.no_erasure_journal);
  EXPECT_EQ(options.max_message_bytes, 4 * 1024 * 1024);
  EXPECT_TRUE(options.reflection);
  EXPECT_FALSE(options.channelz);
  EXPECT_EQ(Refusal({}), "--data: got nothing, wanted the data directory");
}

TEST(Options, FlagsAreRead) {
  const Options options = Parsed({"--data=d", "--listen", "[::1]:0", "--key-file=k", "--readers",
                                  "7", "--no-reflection", "--channelz", "--log-level=debug",
                                  "--erasure-journal=j", "--no-erasure-journal"});
  EXPECT_EQ(options.EffectiveErasureJournal(), "j");
  EXPECT_TRUE(options.no_erasure_journal);
  EXPECT_EQ(options.listen, "[::1]:0");
  EXPECT_EQ(options.EffectiveKeyFile(), "k");
  EXPECT_EQ(options.readers, 7);
  EXPECT_FALSE(options.reflection);
  EXPECT_TRUE(options.channelz);
  EXPECT_EQ(options.EffectiveLogLevel(), LogLevel::kDebug);
}

TEST(Options, FlagsWinOverEnvironmentAndThatOverFile) {
  const ConfigFile file("data = \"from-file\"\nreaders = 2\nheartbeat-ms = 700\nchannelz = true\n");
  const Environment readers("PASSERELLE_READERS", "3");
  const Environment beats("PASSERELLE_HEARTBEAT_MS", "800");
  const Environment reflection("PASSERELLE_REFLECTION", "false");
  const Options options = Parsed({"--config", file.path(), "--heartbeat-ms", "900"});
  EXPECT_FALSE(options.reflection);
  EXPECT_EQ(options.data, "from-file");
  EXPECT_TRUE(options.channelz);
  EXPECT_EQ(options.readers, 3);
  EXPECT_EQ(options.heartbeat_ms, 900);
}

TEST(Options, NumbersOutOfRangeNameFlagGotAndWanted) {
  EXPECT_EQ(Refusal({"--data=d", "--readers", "0"}),
            "--readers: got 0, wanted a whole number from 1 to 64");
  EXPECT_EQ(Refusal({"--data=d", "--readers", "many"}),
            "--readers: got many, wanted a whole number from 1 to 64");
  EXPECT_EQ(Refusal({"--data=d", "--drain-seconds=1.5"}),
            "--drain-seconds: got 1.5, wanted a whole number from 0 to 3600");
  const Environment readers("PASSERELLE_READERS", "65");
  EXPECT_NE(Refusal({"--data=d"}).find("--readers: got 65"), std::string::npos);
}

TEST(Options, UnknownFlagsAndSettingsAreRefused) {
  EXPECT_NE(Refusal({"--data=d", "--reeders=4"}).find("--reeders"), std::string::npos);
  const ConfigFile file("reeders = 4\n");
  EXPECT_EQ(Refusal({"--data=d", "--config", file.path()}),
            "--config " + file.path() + ": unknown setting 'reeders'");
  EXPECT_NE(Refusal({"--data=d", "--config", file.path() + ".absent"}).find(".absent"),
            std::string::npos);
}

TEST(Options, AWrongValueInTheSettingsFileNamesTheFileAndTheSetting) {
  const auto told = [](const std::string& line, const std::vector<std::string>& more = {}) {
    const ConfigFile file("data = \"d\"\n" + line + "\n");
    std::vector<std::string> arguments = {"--config", file.path()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const std::string refusal = Refusal(arguments);
    const std::string head = "--config " + file.path() + ": ";
    return refusal.substr(0, head.size()) == head ? refusal.substr(head.size())
                                                  : "not the file: " + refusal;
  };
  EXPECT_EQ(told("readers = 0"), "readers: got 0, wanted a whole number from 1 to 64");
  EXPECT_EQ(told("readers = \"many\""), "readers: got many, wanted a whole number from 1 to 64");
  EXPECT_EQ(told("channelz = maybe"), "channelz: got maybe, wanted true or false");
  EXPECT_EQ(told("log-level = \"loud\""),
            "log-level: got 'loud', wanted debug, info, warning, error or off");
  EXPECT_EQ(told("listen = \"7701\"").substr(0, 19), "listen: got '7701',");
  EXPECT_EQ(told("readers = 2", {"--heartbeat-ms=1"}),
            "not the file: --heartbeat-ms: got 1, wanted a whole number from 100 to 600000");
  EXPECT_EQ(told("readers = 2", {"--readers", "0"}),
            "not the file: --readers: got 0, wanted a whole number from 1 to 64");
  const Environment readers("PASSERELLE_READERS", "65");
  EXPECT_EQ(told("readers = 2"),
            "not the file: --readers: got 65, wanted a whole number from 1 to 64");
}

TEST(Options, WrongLevelsAndLineEndsAreRefused) {
  EXPECT_NE(Refusal({"--data=d", "--log-level=loud"}).find("--log-level: got 'loud'"),
            std::string::npos);
  EXPECT_NE(Refusal({"--data=a\nb"}).find("--data: got a line end"), std::string::npos);
}

TEST(Options, PlaintextStaysOnThisMachine) {
  for (const char* address : {"0.0.0.0:7701", "[::]:7701", "192.0.2.1:1", "example.com:1",
                              "[::ffff:127.0.0.1]:1", "128.0.0.1:1"}) {
    const std::string refusal = Refusal({"--data=d", "--listen", address});
    EXPECT_NE(refusal.find(address), std::string::npos) << refusal;
    EXPECT_NE(refusal.find("TLS proxy on the same host"), std::string::npos) << refusal;
  }
  for (const char* address :
       {"127.0.0.1:0", "127.8.9.1:65535", "localhost:1", "[::1]:0", "unix:run/p.sock"}) {
    EXPECT_EQ(Parsed({"--data=d", "--listen", address}).listen, address);
    EXPECT_EQ(ParseListenAddress(address)->ToString(), address);
  }
}

TEST(Options, WithTlsItListensAnywhere) {
  const Options options = Parsed({"--data=d", "--tls-cert=c", "--tls-key=k", "--tls-client-ca=a",
                                  "--tls-require-client-cert", "--listen", "0.0.0.0:7701"});
  EXPECT_EQ(options.tls_cert, "c");
  EXPECT_EQ(options.tls_key, "k");
  EXPECT_EQ(options.tls_client_ca, "a");
  EXPECT_TRUE(options.tls_require_client_cert);
  EXPECT_FALSE(Parsed({"--data=d", "--tls-cert=c", "--tls-key=k"}).tls_require_client_cert);
}

TEST(Options, OfCertificateKeyAndClientsCaNoneIsTakenWithoutWhatItNeeds) {
  EXPECT_EQ(Refusal({"--data=d", "--tls-cert=c"}),
            "--tls-key: got nothing, wanted the private key of the certificate in --tls-cert");
  EXPECT_EQ(Refusal({"--data=d", "--tls-key=k"}),
            "--tls-cert: got nothing, wanted the certificate of the key in --tls-key");
  EXPECT_EQ(Refusal({"--data=d", "--tls-client-ca=a"}),
            "--tls-cert: got nothing, wanted a certificate, because --tls-client-ca is given");
  EXPECT_EQ(Refusal({"--data=d", "--tls-cert=c", "--tls-key=k", "--tls-require-client-cert"}),
            "--tls-client-ca: got nothing, wanted the CA of client certificates, because "
            "--tls-require-client-cert is on");
}

TEST(Options, TlsIsReadFromEnvironmentAndFile) {
  const ConfigFile file("data = \"d\"\ntls-key = \"k\"\ntls-require-client-cert = true\n");
  const Environment certificate("PASSERELLE_TLS_CERT", "c");
  const Environment ca("PASSERELLE_TLS_CLIENT_CA", "a");
  const Options options = Parsed({"--config", file.path()});
  EXPECT_EQ(options.tls_cert + options.tls_key + options.tls_client_ca, "cka");
  EXPECT_TRUE(options.tls_require_client_cert);
}

TEST(Options, MalformedAddressesAreRefused) {
  for (const std::string& address : std::vector<std::string>{
           std::string("7701"), std::string(":7701"), std::string("localhost"),
           std::string("localhost:"), std::string("localhost:65536"), std::string("localhost:-1"),
           std::string("::1:5"), std::string("[]:5"), std::string("unix:"),
           "unix:" + std::string(108, 'p')}) {
    EXPECT_FALSE(ParseListenAddress(address).ok()) << address;
  }
}

TEST(Options, PrintConfigNeedsNoDataDirectory) {
  const auto printed = ParseOptions({"--readers=9", "--print-config"});
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_NE(printed->text.find("readers"), std::string::npos);
}

TEST(Options, WhatPrintConfigPrintsIsReadBackTheSame) {
  const absl::StatusOr<ParsedOptions> printed =
      ParseOptions({"--data=some folder", "--readers=9", "--no-reflection", "--print-config"});
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_EQ(printed->command, Command::kPrintAndExit);
  const ConfigFile file(printed->text);
  const Options options = Parsed({"--config", file.path()});
  EXPECT_EQ(options.data, "some folder");
  EXPECT_EQ(options.readers, 9);
  EXPECT_FALSE(options.reflection);
  EXPECT_EQ(ParseOptions({"--config", file.path(), "--print-config"})->text, printed->text);
}

TEST(Options, HelpVersionAndCheckDoNotServe) {
  EXPECT_EQ(ParseOptions({"--data=d", "--check-config"})->command, Command::kCheckOnly);
  EXPECT_NE(ParseOptions({"--help"})->text.find("--drain-seconds"), std::string::npos);
  EXPECT_EQ(ParseOptions({"--version"})->text, "passerelled 0.1.0\n");
  EXPECT_FALSE(ParseOptions({"--check-config"}).ok());
}

}  // namespace
}  // namespace passerelle
