#include "server/advisories.h"

#include <gtest/gtest.h>

namespace passerelle {
namespace {

std::size_t NotesOf(const std::string& version) {
  const auto findings = GrpcAdvisories(version);
  for (const storage::Finding& finding : findings) {
    EXPECT_EQ(finding.severity, storage::Severity::kNote);
    EXPECT_FALSE(finding.what.empty() || finding.advice.empty());
  }
  return findings.size();
}

TEST(Advisories, TheGrpcOfDebian12HasAllOfThem) {
  EXPECT_EQ(NotesOf("1.51.1"), 6u);
  EXPECT_NE(GrpcAdvisories("1.51.1")[0].what.find("CVE-2023-1428"), std::string::npos);
}

TEST(Advisories, WhatTheListenerPreventsIsSaidToBePrevented) {
  int prevented = 0;
  for (const storage::Finding& finding : GrpcAdvisories("1.51.1")) {
    const bool descriptors = finding.what.find("CVE-2023-4785") != std::string::npos;
    EXPECT_EQ(finding.what.find("prevented here") != std::string::npos, descriptors);
    EXPECT_EQ(finding.what.find("--max-connections") != std::string::npos, descriptors);
    EXPECT_EQ(finding.what.find("It matters only if") != std::string::npos, !descriptors);
    prevented += descriptors ? 1 : 0;
  }
  EXPECT_EQ(prevented, 1);
}

TEST(Advisories, EachReleaseIsRelievedOfThoseItFixed) {
  EXPECT_EQ(NotesOf("1.53.0"), 3u);
  EXPECT_EQ(NotesOf("1.53.2"), 1u) << "only rapid reset is left";
  EXPECT_EQ(NotesOf("1.54.2"), 3u);
  EXPECT_EQ(NotesOf("1.56.2"), 1u);
  EXPECT_EQ(NotesOf("1.60.0"), 0u);
  EXPECT_EQ(NotesOf("1.64.0-dev"), 0u);
}

TEST(Advisories, AVersionThatCannotBeReadIsSaid) {
  EXPECT_EQ(NotesOf("latest"), 1u);
  EXPECT_EQ(NotesOf(""), 1u);
}

}  // namespace
}  // namespace passerelle
