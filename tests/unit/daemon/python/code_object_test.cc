// What is read of code objects in a running interpreter, against what that interpreter itself says about them.
#include "daemon/python/code_object.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "daemon/python/interpreter.h"
#include "daemon/target/live_memory.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

// For each code object: address, first line, file, then its lines as COUNT*LINE per code unit (0: none), its name last.
constexpr const char* kProgram = R"py(
import argparse, dataclasses, dis, inspect, itertools, sys, tarfile, typing
def unit_lines(code):
    if hasattr(code, "co_positions"): return [line or 0 for line, *_ in code.co_positions()]
    if hasattr(code, "co_lines"):
        return [line or 0 for begin, end, line in code.co_lines() for _ in range(begin, end, 2)]
    starts, lines = dict(dis.findlinestarts(code)), [code.co_firstlineno]
    for offset in range(0, len(code.co_code), 2): lines.append(starts.get(offset, lines[-1]))
    return lines[1:]
codes = []
def add(code):
    codes.append(code)
    for constant in code.co_consts:
        if hasattr(constant, "co_code"): add(constant)
for module in argparse, dataclasses, inspect, tarfile, typing:
    with open(module.__file__, encoding="utf-8") as file:
        add(compile(file.read(), module.__file__, "exec"))
add(compile("def größe(): pass\ndef 日本(): pass\ndef 𝔉(): return (\n" + "\n" * 70000 + "1 + x)", "d\u20acr/ü.py", "exec"))
add(compile("x = [y for y in\n z\n if\n y]\nfor i in (\n1,\n2):\n  try: a(\n  b)\n  finally: c", "\U0001f40d.py", "exec"))
print("ready", flush=True)
for code in codes:
    lines = unit_lines(code)
    runs = " ".join(f"{len(list(run))}*{line}" for line, run in itertools.groupby(lines))
    print(id(code), code.co_firstlineno, code.co_filename, len(lines), runs, "|" + getattr(code, "co_qualname", code.co_name), flush=True)
print("end", flush=True)
sys.stdin.readline()
)py";

class CodeObjectTest : public test::OnPython {};

TEST_P(CodeObjectTest, AgreesWithTheInterpreter) {
  test::PythonTarget target(GetParam(), kProgram);
  ASSERT_TRUE(target.wait_until_ready());
  const auto process = Process::open(target.pid());
  ASSERT_TRUE(process) << process.error().message;
  const LiveMemory memory(target.pid());
  const auto python = find_python(*process, memory);
  ASSERT_TRUE(python) << python.error().message;

  int count = 0;
  for (std::string line = target.read_line(); line != "end"; line = target.read_line(), ++count) {
    std::istringstream said(line);
    uint64_t address = 0;
    uint32_t first_line = 0, units = 0;
    std::string filename;
    ASSERT_TRUE(said >> address >> first_line >> filename >> units) << line;
    const auto code = decode_code(memory, python->layout, RemoteAddress(address));
    ASSERT_TRUE(code) << code.error().message << ": " << line;
    EXPECT_EQ(code->qualname, line.substr(line.find('|') + 1));
    EXPECT_EQ(code->filename, filename);
    EXPECT_EQ(code->first_line, first_line);
    EXPECT_EQ(code->lines.line(-2), first_line);
    int32_t offset = 0;
    for (std::string run; said >> run && run[0] != '|';) {
      const size_t star = run.find('*');
      const auto wanted = static_cast<uint32_t>(std::stoul(run.substr(star + 1)));
      for (int i = std::stoi(run); i > 0; --i, offset += 2) {
        ASSERT_EQ(code->lines.line(offset), wanted) << code->qualname << " at " << offset;
        ASSERT_EQ(code->lines.line(offset + 1), wanted) << code->qualname << " at " << offset + 1;
      }
    }
    EXPECT_EQ(offset, static_cast<int32_t>(2 * units));
    // co_lnotab does not say where the bytecode ends.
    const bool has_end = python->layout.linetable_kind != PYC_LINETABLE_LNOTAB;
    EXPECT_EQ(code->lines.line(offset) == 0, has_end);
  }
  EXPECT_GT(count, 700);
}

PYC_ON_EVERY_PYTHON(CodeObjectTest);

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text.push_back(static_cast<char>(value));
  return text;
}

LineTable decode(const std::string& table, uint32_t first_line = 10) {
  return LineTable::decode(PYC_LINETABLE_LOCATIONS, first_line, table);
}

constexpr int entry(int kind, int units) { return 0x80 | (kind << 3) | (units - 1); }

TEST(LineTable, KnowsEveryKindOfEntry) {
  const LineTable table = decode(
      bytes({entry(0, 1), 0, entry(12, 2), 0, 0, entry(15, 1), entry(13, 1), 0x03, entry(14, 8), 0x7e, 0x01, 0, 0, 0}));
  EXPECT_EQ(table.line(0), 10u);
  EXPECT_EQ(table.line(2), 12u);
  EXPECT_EQ(table.line(5), 12u);
  EXPECT_EQ(table.line(6), 0u);
  EXPECT_EQ(table.line(8), 11u);
  EXPECT_EQ(table.line(10), 11u + (0x3e + 64) / 2);
  EXPECT_EQ(table.line(25), 11u + (0x3e + 64) / 2);
  EXPECT_EQ(table.line(26), 0u);
}

TEST(LineTable, KeepsWhatComesBeforeDamage) {
  for (const std::string& damage :
       {bytes({0x05, 0}), bytes({entry(14, 1), 0x40}), bytes({entry(13, 1), 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f}),
        bytes({entry(13, 1), 0x7f, 0x7f}), bytes({entry(12, 1), 0})}) {
    const LineTable table = decode(bytes({entry(11, 2), 0, 0}) + damage);
    EXPECT_EQ(table.line(3), 11u);
    EXPECT_EQ(table.line(4), 0u);
  }
}

TEST(LineTable, OfOlderPythonsEndsAndSkips) {
  // 2 bytes on line 10, 300 on line 11, 4 on line 9.
  const std::string lnotab = bytes({2, 1, 255, 0, 45, 0xfe});
  const LineTable old = LineTable::decode(PYC_LINETABLE_LNOTAB, 10, lnotab);
  EXPECT_EQ(old.line(-1), 10u);
  EXPECT_EQ(old.line(1), 10u);
  EXPECT_EQ(old.line(2), 11u);
  EXPECT_EQ(old.line(301), 11u);
  EXPECT_EQ(old.line(302), 9u);
  EXPECT_EQ(old.line(100'000), 9u);
  // 2 bytes on line 10, 4 without a line, 6 on line 13 and then no more.
  const LineTable ranges = LineTable::decode(PYC_LINETABLE_RANGES, 10, bytes({2, 0, 4, 0x80, 0, 1, 6, 2}));
  EXPECT_EQ(ranges.line(0), 10u);
  EXPECT_EQ(ranges.line(2), 0u);
  EXPECT_EQ(ranges.line(6), 13u);
  EXPECT_EQ(ranges.line(12), 0u);
  // A line below 0 is damage.
  EXPECT_EQ(LineTable::decode(PYC_LINETABLE_LNOTAB, 10, bytes({2, 0x81, 2, 0})).line(3), 0u);
  EXPECT_EQ(LineTable::decode(PYC_LINETABLE_RANGES, 10, bytes({2, 0, 2, 0x81})).line(3), 0u);
}

}  // namespace
}  // namespace pycroscope
