// Golden cases: one small text holds an input and, after lines that begin with "--- ", what each command makes of it.
// Cases are found by themselves. PYC_UPDATE_GOLDEN=1 writes what came out into the files, to be looked at in the diff.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace pycroscope::test {

struct GoldenCase {
  struct Section {
    std::string command, expected;
  };
  std::filesystem::path file;
  std::string input;
  std::vector<Section> sections;
};

// The cases of tests/golden/`folder`, sorted by name.
inline std::vector<std::filesystem::path> golden_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(PYC_TESTS_DIR) / "golden" / folder))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string golden_name(const testing::TestParamInfo<std::filesystem::path>& info) {
  return info.param.stem().string();
}

inline GoldenCase read_golden(const std::filesystem::path& file) {
  std::ifstream in(file);
  GoldenCase result{file, {}, {}};
  std::string* into = &result.input;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("--- ")) {
      result.sections.push_back({line.substr(4), ""});
      into = &result.sections.back().expected;
    } else {
      *into += line + "\n";
    }
  }
  return result;
}

// Compares what `run(input, command)` yields with each section.
inline void check_golden(const std::filesystem::path& file,
                         const std::function<std::string(const std::string& input, const std::string& command)>& run) {
  GoldenCase golden = read_golden(file);
  ASSERT_FALSE(golden.sections.empty()) << file << " has no section that begins with \"--- \"";
  std::string updated = golden.input;
  for (const GoldenCase::Section& section : golden.sections) {
    std::string actual = run(golden.input, section.command);
    updated += "--- " + section.command + "\n" + actual;
    if (std::getenv("PYC_UPDATE_GOLDEN")) continue;
    EXPECT_EQ(actual, section.expected) << file << ": " << section.command;
  }
  if (std::getenv("PYC_UPDATE_GOLDEN")) std::ofstream(file) << updated;
}

}  // namespace pycroscope::test
