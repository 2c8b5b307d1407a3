// Each case of tests/golden/exports: samples as text, and what the textual formats make of them.
#include "tests/unit/support/golden.h"

#include "analysis/export/export.h"
#include "tests/unit/support/memory_events.h"
#include "tests/unit/support/request_words.h"

namespace pycroscope {
namespace {

std::string run_export(const std::string& input, const std::string& command) {
  test::MemoryEvents events;
  test::parse_events(events, input);
  v1::ExportRequest request;
  request.set_format(test::split_command(command, [&](const std::string& key, const std::string& value) {
    if (key == "weight")
      request.set_weight(value);
    else
      test::apply_word(request, key, value);
  }));
  std::string text;
  Status status = export_session(events, request, [&](std::string_view piece) {
    text += piece;
    return Status();
  });
  return status ? text : "error: " + status.error().message + "\n";
}

class ExportGolden : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ExportGolden, Matches) { test::check_golden(GetParam(), run_export); }

INSTANTIATE_TEST_SUITE_P(Cases, ExportGolden, testing::ValuesIn(test::golden_files("exports")), test::golden_name);

}  // namespace
}  // namespace pycroscope
