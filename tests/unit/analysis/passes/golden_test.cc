// Each case of tests/golden/views: samples as text, and the JSON of views of them.
#include "tests/unit/support/golden.h"

#include "analysis/passes/pass.h"
#include "analysis/passes/view_json.h"
#include "tests/unit/support/memory_events.h"
#include "tests/unit/support/request_words.h"

namespace pycroscope {
namespace {

std::string run_view(const std::string& input, const std::string& command) {
  test::MemoryEvents events;
  test::parse_events(events, input);
  v1::ViewRequest request;
  std::string name = test::split_command(command, [&](const std::string& key, const std::string& value) {
    if (key == "sort")
      request.set_sort(value);
    else if (key == "limit")
      request.set_limit(static_cast<uint32_t>(std::stoul(value)));
    else
      test::apply_word(request, key, value);
  });
  Result<v1::ViewKind> kind = parse_view_kind(name);
  if (!kind) return "error: " + kind.error().message + "\n";
  request.set_kind(*kind);
  Result<v1::View> view = compute_view(events, request);
  if (!view) return "error: " + view.error().message + "\n";
  std::string text;
  EXPECT_TRUE(write_view_json(*view, [&](std::string_view piece) {
    text += piece;
    return Status();
  }));
  return text;
}

class ViewGolden : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ViewGolden, Matches) { test::check_golden(GetParam(), run_view); }

INSTANTIATE_TEST_SUITE_P(Cases, ViewGolden, testing::ValuesIn(test::golden_files("views")), test::golden_name);

}  // namespace
}  // namespace pycroscope
