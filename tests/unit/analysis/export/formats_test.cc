#include <gmock/gmock.h>
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <regex>
#include <sstream>

#include "analysis/export/export.h"
#include "profile.pb.h"
#include "tests/unit/support/memory_events.h"

namespace pycroscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string run(const EventReader& events, const std::string& format, const std::string& weight = "") {
  v1::ExportRequest request;
  request.set_format(format);
  request.set_weight(weight);
  std::string out;
  Status status = export_session(events, request, [&](std::string_view piece) {
    out += piece;
    return Status();
  });
  EXPECT_TRUE(status) << status.error().message;
  return out;
}

pprof::Profile decode(const std::string& compressed) {
  google::protobuf::io::ArrayInputStream memory(compressed.data(), static_cast<int>(compressed.size()));
  google::protobuf::io::GzipInputStream gzip(&memory);
  pprof::Profile profile;
  EXPECT_TRUE(profile.ParseFromZeroCopyStream(&gzip));
  return profile;
}

void fill_random(test::MemoryEvents& events, uint32_t seed) {
  std::mt19937 random(seed);
  std::ostringstream text;
  for (int i = 0; i < 500; ++i) {
    text << i << " " << 7 + random() % 3 << " " << 1 + random() % 20 << " ";
    auto depth = random() % 6;
    if (depth > 0) text << "main (/p/m.py:1);";
    while (depth-- > 0) text << "f" << random() % 5 << " (/p/m.py:" << 1 + random() % 4 << ")" << (depth ? ";" : "");
    text << "\n";
  }
  test::parse_events(events, text.str());
}

int64_t collapsed_sum(const std::string& text) {
  int64_t sum = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) sum += std::stoll(line.substr(line.rfind(' ')));
  return sum;
}

int64_t speedscope_sum(const std::string& text) {
  int64_t sum = 0;
  static const std::regex weights(R"re("weights": \[([0-9,]*)\])re"), number("[0-9]+");
  for (std::sregex_iterator it(text.begin(), text.end(), weights), end; it != end; ++it) {
    std::string list = (*it)[1];
    for (std::sregex_iterator n(list.begin(), list.end(), number); n != end; ++n) sum += std::stoll(n->str());
  }
  return sum;
}

int64_t json_sum(const std::string& text) {
  int64_t sum = 0;
  std::istringstream lines(text.substr(text.rfind("\"samples\": [")));
  static const std::regex sample(R"(^\[\d+,\d+,\d+,(\d+),\d+,(true|false)\].*)");
  std::smatch match;
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, match, sample)) sum += std::stoll(match[1]);
  return sum;
}

// Of the outermost events, which "main" is in each stack with frames.
int64_t chrometrace_sum(const std::string& text, const std::string& key) {
  int64_t sum = 0;
  std::istringstream lines(text);
  static const std::regex event(R"re(.*"samples": (\d+), "cpu_ns": (\d+).*"name": "(main|\[no Python\])"\},?)re");
  std::smatch match;
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, match, event)) sum += std::stoll(match[key == "samples" ? 1 : 2]);
  return sum;
}

// Milliseconds with six decimals, as nanoseconds; or counts.
int64_t gecko_sum(const std::string& text) {
  int64_t sum = 0;
  static const std::regex weights(R"re("weight": \[([0-9,.]*)\])re"), number(R"((\d+)(?:\.(\d{6}))?)");
  for (std::sregex_iterator it(text.begin(), text.end(), weights), end; it != end; ++it) {
    std::string list = (*it)[1];
    for (std::sregex_iterator n(list.begin(), list.end(), number); n != end; ++n)
      sum += std::stoll((*n)[1].str() + (*n)[2].str());
  }
  return sum;
}

// The root's value.
int64_t svg_root(const std::string& text) {
  static const std::regex root(R"re(data-p="0,(\d+),0")re");
  std::smatch match;
  return std::regex_search(text, match, root) ? std::stoll(match[1]) : -1;
}

TEST(Formats, SumsAgree) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    test::MemoryEvents events;
    fill_random(events, seed);
    int64_t time = 0, samples = 0;
    for (const Sample& s : events.all()) {
      time += s.weight_ns;
      ++samples;
    }
    EXPECT_EQ(collapsed_sum(run(events, "collapsed", "samples")), samples);
    EXPECT_EQ(collapsed_sum(run(events, "collapsed", "cpu-time")), time);
    EXPECT_EQ(speedscope_sum(run(events, "speedscope", "samples")), samples);
    EXPECT_EQ(speedscope_sum(run(events, "speedscope")), time);
    EXPECT_EQ(svg_root(run(events, "svg", "samples")), samples);
    EXPECT_EQ(svg_root(run(events, "svg")), time);
    EXPECT_EQ(svg_root(run(events, "html", "samples")), samples);
    EXPECT_EQ(svg_root(run(events, "html")), time);
    EXPECT_EQ(json_sum(run(events, "json")), time);
    EXPECT_EQ(chrometrace_sum(run(events, "chrometrace"), "samples"), samples);
    EXPECT_EQ(chrometrace_sum(run(events, "chrometrace"), "cpu_ns"), time);
    EXPECT_EQ(gecko_sum(run(events, "gecko", "samples")), samples);
    EXPECT_EQ(gecko_sum(run(events, "gecko")), time);
    int64_t pprof_samples = 0, pprof_time = 0;
    pprof::Profile profile = decode(run(events, "pprof"));
    for (const pprof::Sample& s : profile.sample()) {
      pprof_samples += s.value(0);
      pprof_time += s.value(1);
    }
    EXPECT_EQ(pprof_samples, samples);
    EXPECT_EQ(pprof_time, time);
  }
}

TEST(Formats, NamesThoseThereAre) {
  EXPECT_THAT(export_formats(),
              ElementsAre("chrometrace", "collapsed", "gecko", "html", "json", "pprof", "speedscope", "svg"));
}

TEST(Formats, AnErrorOfTheOutputEndsTheExport) {
  test::MemoryEvents events;
  fill_random(events, 1);
  for (std::string_view format : export_formats()) {
    v1::ExportRequest request;
    request.set_format(std::string(format));
    int calls = 0;
    Status status = export_session(events, request, [&](std::string_view) {
      ++calls;
      return Status(fail(ErrorCode::kNoSpace, "the disk is full"));
    });
    ASSERT_FALSE(status) << format;
    EXPECT_EQ(status.error().code, ErrorCode::kNoSpace) << format;
    EXPECT_EQ(calls, 1) << format;
  }
}

TEST(Formats, EmptySessions) {
  test::MemoryEvents events;
  for (std::string_view format : export_formats()) run(events, std::string(format));
  EXPECT_EQ(run(events, "collapsed"), "");
}

TEST(Pprof, DescribesSamples) {
  test::MemoryEvents events;
  test::parse_events(events,
                     "process 100 python app.py\nthread 7 MainThread\n"
                     "0 7 10 {task=A} main@2 (/a.py:50);f@3 (/a.py:4);memcpy (libc.so.6)\n"
                     "10 7 10 {task=A} main@2 (/a.py:50);f@3 (/a.py:4);memcpy (libc.so.6)\n"
                     "20 8 5\n");
  events.mutable_session().mutable_config()->set_rate_hz(1000);
  pprof::Profile profile = decode(run(events, "pprof"));
  auto text = [&](int64_t i) { return profile.string_table(static_cast<int>(i)); };
  EXPECT_EQ(text(0), "");
  ASSERT_EQ(profile.sample_type_size(), 2);
  EXPECT_EQ(text(profile.sample_type(1).type()), "cpu");
  EXPECT_EQ(text(profile.sample_type(1).unit()), "nanoseconds");
  EXPECT_EQ(profile.period(), 1'000'000);
  ASSERT_EQ(profile.sample_size(), 2);
  const pprof::Sample& sample = profile.sample(0);
  EXPECT_THAT(sample.value(), ElementsAre(2, 20'000));
  ASSERT_EQ(sample.location_id_size(), 3);
  const pprof::Location& leaf = profile.location(static_cast<int>(sample.location_id(0)) - 1);
  EXPECT_EQ(text(profile.mapping(static_cast<int>(leaf.mapping_id()) - 1).filename()), "libc.so.6");
  const pprof::Location& root = profile.location(static_cast<int>(sample.location_id(2)) - 1);
  EXPECT_EQ(root.line(0).line(), 50);
  const pprof::Function& function = profile.function(static_cast<int>(root.line(0).function_id()) - 1);
  EXPECT_EQ(text(function.name()), "main");
  EXPECT_EQ(text(function.filename()), "/a.py");
  EXPECT_EQ(function.start_line(), 2);
  std::map<std::string, std::string> labels;
  for (const pprof::Label& l : sample.label())
    labels[text(l.key())] = l.str() ? text(l.str()) : std::to_string(l.num());
  EXPECT_EQ(labels, (std::map<std::string, std::string>{
                        {"pid", "100"}, {"task", "A"}, {"thread", "MainThread"}, {"tid", "7"}}));
  EXPECT_EQ(profile.sample(1).location_id_size(), 1);
}

TEST(Svg, EscapesNames) {
  test::MemoryEvents events;
  test::parse_events(events, "0 7 10 <lambda> (/a&b\".py:50);x\x01y\xEF\xBF\xBE\xFF (<string>:1)\n");
  std::string svg = run(events, "svg");
  EXPECT_THAT(svg, HasSubstr("&lt;lambda&gt;"));
  EXPECT_THAT(svg, HasSubstr("/a&amp;b&quot;.py:50"));
  EXPECT_THAT(svg, HasSubstr("x\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD"));
  EXPECT_THAT(svg, Not(HasSubstr("<lambda>")));
}

TEST(Html, EscapesNames) {
  test::MemoryEvents events;
  events.mutable_session().mutable_target()->add_command("</title><script>alert(1)</script>");
  test::parse_events(events,
                     "thread 7 \"><img src=x>\n"
                     "0 7 10 </script><b> (/a\" onclick=\"x.py:50);<!--<script> (x.py:1)\n");
  std::string html = run(events, "html");
  EXPECT_THAT(html, HasSubstr("&lt;/script&gt;&lt;b&gt;"));
  for (std::string_view raw :
       {"<b>", "</script><b>", "\" onclick=", "<!--", "<img", "alert(1)</script>", "<script>alert"})
    EXPECT_THAT(html, Not(HasSubstr(raw)));
}

TEST(ThreadRuns, GiveUpWhatTheyMustAndKeepTheSums) {
  constexpr int64_t kSamples = 1'000'100;
  for (bool alternating : {false, true}) {
    test::MemoryEvents events;
    test::parse_events(events, "thread 7 MainThread\n0 7 1 a (a.py:1)\n1 7 1 b (a.py:1)\n");
    std::vector<Sample> first = events.all();
    for (int64_t i = 2; i < kSamples; ++i) {
      Sample sample = first[alternating ? static_cast<size_t>(i % 2) : 0];
      sample.time_ns = i * 1000;
      events.add(sample);
    }
    std::string trace = run(events, "chrometrace");
    // Neighbours that are merged, then stacks laid end to end.
    EXPECT_LT(trace.size(), 2000u);
    EXPECT_THAT(trace, HasSubstr(alternating ? "\"samples\": 500050" : "\"samples\": 1000098"));
  }
}

TEST(Svg, FoldsWhatCannotBeSeen) {
  test::MemoryEvents events;
  std::ostringstream text;
  for (int i = 0; i < 5000; ++i) text << i << " 7 1 main (/a.py:1);f" << i << " (/a.py:2)\n";
  text << "6000 7 5000 main (/a.py:1);big (/a.py:2)\n";
  test::parse_events(events, text.str());
  std::string svg = run(events, "svg");
  EXPECT_LT(svg.size(), 100'000u);
  EXPECT_THAT(svg, HasSubstr("[5000 smaller]"));
  EXPECT_EQ(svg_root(svg), 10'000'000);
}

}  // namespace
}  // namespace pycroscope
