#include "daemon/python/value_text.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "daemon/python/dump.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

// Prints a line "name<tab>repr" for each of its locals, escaped so that it is one line of ASCII, then waits.
constexpr const char* kPrintAndWait = R"(
    for name, value in sorted(dict(locals()).items()):
        print(name, repr(value).encode("utf-8", "surrogatepass").hex(), sep="\t")
    print("ready", flush=True)
    sys.stdin.readline()
)";

constexpr std::string_view kEllipsis = "…";

std::string unhex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

class ValueTextTest : public test::OnPython {
 protected:
  using Values = std::map<std::string, std::string>;

  // Runs `body` (assignments, indented by four blanks) in a function; yields what repr() says of its locals there, and
  // what we read.
  void compare(const std::string& body, Values& expected, Values& actual) {
    const std::string program =
        "import sys\nclass Other:\n    pass\ndef function():\n" + body + kPrintAndWait + "function()\n";
    test::PythonTarget target(GetParam(), program);
    for (std::string line = target.read_line(); line != "ready"; line = target.read_line()) {
      ASSERT_FALSE(line.empty()) << "the program failed";
      const size_t tab = line.find('\t');
      expected[line.substr(0, tab)] = unhex(line.substr(tab + 1));
    }
    const auto process = Process::open(target.pid());
    ASSERT_TRUE(process) << process.error().message;
    const auto dump = dump_stacks(*process, {.locals = true});
    ASSERT_TRUE(dump) << dump.error().message;
    ASSERT_EQ(dump->threads_size(), 1);
    ASSERT_EQ(dump->threads(0).frames(0).function(), "function");
    for (const v1::Local& local : dump->threads(0).frames(0).locals()) {
      if (expected.contains(local.name())) actual[local.name()] = local.text();
    }
    EXPECT_EQ(expected.size(), actual.size());
  }

  void expect_same(const std::string& body) {
    Values expected, actual;
    compare(body, expected, actual);
    for (const auto& [name, text] : expected) {
      std::string seen = actual[name];
      const bool is_cut = text.size() > ValueText::kMaxBytes;
      if (is_cut) {
        ASSERT_TRUE(seen.ends_with(kEllipsis)) << name << ": " << seen;
        seen.resize(seen.size() - kEllipsis.size());
        EXPECT_GE(seen.size(), ValueText::kMaxBytes - 20) << name;
      }
      EXPECT_EQ(seen, is_cut ? text.substr(0, seen.size()) : text) << name;
    }
  }
};

TEST_P(ValueTextTest, Numbers) {
  expect_same(R"(
    zero, one, minus_one, byte = 0, 1, -1, 255
    digit, two_digits, three_digits = 2**30 - 1, 2**30, -(2**60)
    large, largest = 3**200, 10**4299
    yes, no, nothing = True, False, None
    half, third, negative_zero = 0.5, 1 / 3, -0.0
    infinity, minus_infinity, not_a_number = float("inf"), float("-inf"), float("nan")
    fixed, exponent, tiny, tinier, least, most = 9999999999999998.0, 1e16, 0.0001, 0.00001, 5e-324, 1.7976931348623157e308
    whole, thousand, long = 3.0, 1e3, 1234567890123456.8
)");
}

TEST_P(ValueTextTest, Text) {
  expect_same(R"(
    empty, plain, latin, greek, rocket = "", "plain", "h\xe9llo", "\u03b1\u03b2", "\U0001f680"
    apostrophe, quote, both = "it's", 'say "x"', "'\""
    controls, escapes = "\0\x01\x1f\x7f", "\t\r\n\\"
    unprintable = "\x80\xa0\xad\u200b\u2028\u3000\ue000\ufeff\U000e0001\U0010ffff"
    surrogates, combining = "\ud800\udfff", "e\u0301"
    mixed = "a\xff\u1234\U00012345"
    no_bytes, some_bytes, quoted = b"", b"\x00ab\x7f\x80\xff\t\r\n\\", b"it's \"x\""
    only_apostrophe = b"it's"
)");
}

TEST_P(ValueTextTest, Containers) {
  expect_same(R"(
    lists = [[], [1], [1, [2, [3]]]]
    tuples = ((), (1,), (1, 2))
    sets = (set(), {1}, {"a", "b", "c"}, frozenset(), frozenset({1, 2}), {-1, -2, 0, 17, 33})
    thinned = set(range(40)); thinned -= set(range(3, 38))
    dicts = ({}, {"a": 1}, {1: "one", None: 2.5, (1, 2): [3]}, dict.fromkeys(range(300), 0))
    deleted = {"a": 1, "b": 2, "c": 3}; del deleted["b"]; deleted["d"] = 4
    popped = {i: i for i in range(50)}; [popped.pop(i) for i in range(45)]
    many_keys = {str(i): i for i in range(200)}
    itself = [1]; itself.append(itself)
    dict_itself = {}; dict_itself["me"] = dict_itself
    tuple_itself = ([],); tuple_itself[0].append(tuple_itself)
    other = Other(); other.second = 1; other.first = "x"; other.third = 3; del other.second; other.second = 2
    attributes = other.__dict__
    del other
    grown = list(range(1000)); del grown[5:]
)");
}

TEST_P(ValueTextTest, SharedKeysBeforeAndAfterTheyAreADict) {
  expect_same(R"(
    first, second = Other(), Other()
    first.a, first.b = 1, 2
    second.b, second.a = 3, 4
    shared_first, shared_second = first.__dict__, second.__dict__
    first.c = 5
    second.__dict__["not an identifier"] = 6
    crowded = Other()
    for i in range(40): setattr(crowded, f"x{i}", i)
    del i
    shared_crowded = crowded.__dict__
    del first, second, crowded
)");
}

TEST_P(ValueTextTest, LongOnesAreCut) {
  expect_same(R"(
    text, data = "x" * 5000, b"y" * 5000
    rocket = "\U0001f680" * 5000
    numbers, pairs, members = list(range(5000)), {i: str(i) for i in range(5000)}, set(range(5000))
    number, nested = 10**4000, [["a" * 300] * 5] * 5
)");
}

TEST_P(ValueTextTest, DeepOnesAreCut) {
  Values expected, actual;
  compare(R"(
    deep = ()
    for _ in range(100): deep = [deep]
    del _
)",
          expected, actual);
  EXPECT_EQ(actual["deep"], std::string(ValueText::kMaxDepth, '[') + "…");
}

TEST_P(ValueTextTest, OtherTypesAreNamed) {
  Values expected, actual;
  compare(R"(
    class Number(int): pass
    class Items(list): pass
    import collections
    instance, number, items, pairs = Other(), Number(3), Items(), collections.OrderedDict()
    kind, function, queue, inside = Other, compare if False else len, collections.deque(), [Other()]
    vast = 1 << 100000
    del Number, Items, collections
    sys.set_int_max_str_digits(0)
)",
          expected, actual);
  const auto names = [&](const std::string& name) { return actual[name].substr(0, actual[name].find(" at 0x")); };
  EXPECT_EQ(names("instance"), "<Other");
  EXPECT_EQ(names("number"), "<Number");
  EXPECT_EQ(names("items"), "<Items");
  EXPECT_EQ(names("pairs"), "<OrderedDict");
  EXPECT_EQ(names("kind"), "<type");
  EXPECT_EQ(names("function"), "<builtin_function_or_method");
  EXPECT_EQ(names("queue"), "<deque");
  EXPECT_EQ(names("inside"), "[<Other");
  EXPECT_EQ(names("vast"), "<int");
  // The address is the one that repr() gives.
  EXPECT_NE(expected["instance"].find(actual["instance"].substr(actual["instance"].find(" at 0x"))), std::string::npos);
}

PYC_ON_EVERY_PYTHON(ValueTextTest);

}  // namespace
}  // namespace pycroscope
