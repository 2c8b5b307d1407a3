// Stacks by reads from outside: of running interpreters, and of memory that tears and lies.
#include "daemon/collect/remote_walker.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/collect/code_table.h"
#include "daemon/python/frames.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/thread_files.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

// Memory of a process, but for a word that is each time what `lie` makes of it.
class LyingMemory final : public TargetMemory {
 public:
  using Lie = std::function<uint64_t(uint64_t word)>;
  LyingMemory(const TargetMemory& truth, RemoteAddress where, Lie lie)
      : truth_(truth), where_(where), lie_(std::move(lie)) {}

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
    PYC_CHECK(truth_.read_bytes(address, out));
    uint64_t word = 0;
    const uint64_t offset = where_.address() - address.address();
    if (where_ < address || offset + sizeof word > out.size()) return {};
    std::memcpy(&word, &out[offset], sizeof word);
    word = lie_(word);
    std::memcpy(&out[offset], &word, sizeof word);
    return {};
  }

 private:
  const TargetMemory& truth_;
  const RemoteAddress where_;
  const Lie lie_;
};

constexpr char kSleeper[] = R"(
import threading
def inner(event):
    event.wait()
def outer(event):
    inner(event)
def start(name):
    threading.Thread(target=outer, args=(threading.Event(),), name=name, daemon=True).start()
for i in range(20): start(f"t{i}")
print("ready", flush=True)
outer(threading.Event())
)";

class RemoteWalkerTest : public test::OnPython {
 protected:
  void SetUp() override {
    OnPython::SetUp();
    if (IsSkipped()) return;
    target_.emplace(GetParam(), kSleeper);
    ASSERT_TRUE(target_->wait_until_ready());
    auto process = Process::open(target_->pid());
    ASSERT_TRUE(process);
    process_.emplace(*std::move(process));
    memory_.emplace(target_->pid());
    auto python = find_python(*process_, *memory_);
    ASSERT_TRUE(python) << python.error().message;
    python_ = *std::move(python);
    wait_until_asleep();
  }

  // Its stacks stand still from then on.
  void wait_until_asleep() {
    for (const pid_t tid : thread_ids(target_->pid())) {
      const auto files = ThreadFiles::open(target_->pid(), tid);
      ASSERT_TRUE(files);
      while (files->state()->runs) ::usleep(1000);
    }
  }

  // The functions of a stack, leaf first, each followed by a blank.
  std::string names(const RemoteStack& stack, const CodeTable& codes) {
    std::string text;
    for (const pyc_frame& frame : stack.frames) {
      const auto location = codes.locate(frame, symbols_);
      if (!location) return text + "?";
      text += symbols_.string(symbols_.function(symbols_.location(*location).function).name);
      text += ' ';
    }
    return text;
  }

  // The walk of the main thread where the word at `where` is a lie.
  pyc_error walk_lies(RemoteAddress where, LyingMemory::Lie lie) {
    const LyingMemory memory(*memory_, where, std::move(lie));
    RemoteWalker walker(*process_, memory, python_);
    RemoteStack stack;
    const pyc_error error = walker.walk(target_->pid(), [](auto) {}, stack);
    frames_ = stack.frames.size();
    return error;
  }

  // Of the main thread, leaf first.
  std::vector<PythonFrame> exact_frames() {
    const auto threads = walk_threads(*memory_, python_, PYC_MAX_FRAMES);
    EXPECT_TRUE(threads);
    // The main thread's state is the oldest.
    return threads && !threads->empty() ? threads->back().frames : std::vector<PythonFrame>();
  }

  std::optional<test::PythonTarget> target_;
  std::optional<Process> process_;
  std::optional<LiveMemory> memory_;
  PythonRuntime python_;
  Symbols symbols_;
  size_t frames_ = 0;  // of the last walk_lies()
};

TEST_P(RemoteWalkerTest, EachThreadHasItsStack) {
  RemoteWalker walker(*process_, *memory_, python_);
  CodeTable codes(*memory_, python_.layout);
  RemoteStack stack;
  std::set<uint64_t> idents;
  const auto tids = thread_ids(target_->pid());
  ASSERT_EQ(tids.size(), 21U);
  for (const pid_t tid : tids) {
    ASSERT_EQ(walker.walk(tid, [&](auto record) { codes.add(record, symbols_); }, stack), PYC_OK);
    EXPECT_NE(names(stack, codes).find(" inner outer "), std::string::npos) << names(stack, codes);
    EXPECT_EQ(names(stack, codes).ends_with("outer <module> "), tid == target_->pid()) << names(stack, codes);
    EXPECT_EQ(stack.sample.tid, static_cast<uint32_t>(tid));
    EXPECT_EQ(stack.sample.frame_count, stack.frames.size());
    EXPECT_EQ(stack.sample.flags, 0U);
    idents.insert(stack.sample.thread_id);
  }
  EXPECT_EQ(idents.size(), tids.size());
}

TEST_P(RemoteWalkerTest, TheGilIsNobodysWhileAllSleep) {
  RemoteWalker walker(*process_, *memory_, python_);
  EXPECT_TRUE(walker.gil_holders().empty());
}

TEST_P(RemoteWalkerTest, TwoReadingsThatDifferAreNoStack) {
  const auto frames = exact_frames();
  ASSERT_GE(frames.size(), 4U);
  bool odd = false;
  // Each second reading leaves a frame out.
  const auto skip_one = [&](uint64_t previous) {
    odd = !odd;
    return odd ? previous : frames[3].frame.address();
  };
  EXPECT_EQ(walk_lies(frames[1].frame + python_.layout.frame_previous, skip_one), PYC_ERROR_BAD_FRAME);
}

TEST_P(RemoteWalkerTest, ACodeObjectThatChangesHasNoName) {
  const auto frames = exact_frames();
  ASSERT_GE(frames.size(), 4U);
  uint64_t line = 0;
  const auto other_line = [&](uint64_t) { return ++line; };
  const auto where = frames[1].code + (python_.layout.code_first_line & ~7U);
  EXPECT_EQ(walk_lies(where, other_line), PYC_ERROR_BAD_CODE);
}

TEST_P(RemoteWalkerTest, WhatIsNoCodeObjectIsRefused) {
  const auto frames = exact_frames();
  ASSERT_GE(frames.size(), 4U);
  const auto other_type = [](uint64_t type) { return type + 8; };
  EXPECT_EQ(walk_lies(frames[1].code + python_.layout.object_type, other_type), PYC_ERROR_BAD_CODE);
}

TEST_P(RemoteWalkerTest, AChainIntoNowhereIsNoStack) {
  const auto frames = exact_frames();
  ASSERT_GE(frames.size(), 4U);
  const auto nowhere = [](uint64_t) { return uint64_t{0x10}; };
  EXPECT_EQ(walk_lies(frames[2].frame + python_.layout.frame_previous, nowhere), PYC_ERROR_FRAME_READ);
}

TEST_P(RemoteWalkerTest, AChainWithoutAnEndIsCut) {
  const auto frames = exact_frames();
  ASSERT_GE(frames.size(), 4U);
  const auto back = [&](uint64_t) { return frames[1].frame.address(); };
  EXPECT_EQ(walk_lies(frames[2].frame + python_.layout.frame_previous, back), PYC_OK);
  EXPECT_EQ(frames_, size_t{PYC_MAX_FRAMES});
}

TEST_P(RemoteWalkerTest, AThreadStateOfAnotherIsNotTaken) {
  const auto threads = walk_threads(*memory_, python_, 1);
  ASSERT_TRUE(threads);
  const auto stranger = [](uint64_t id) { return id + 1; };
  const auto where = threads->back().tstate + python_.layout.thread_id;
  // It is one thread at the first look and another at each later one: a thread without Python.
  bool looked = false;
  const auto changes = [&](uint64_t id) { return std::exchange(looked, true) ? stranger(id) : id; };
  EXPECT_EQ(walk_lies(where, changes), PYC_OK);
  EXPECT_EQ(frames_, 0U);
}

PYC_ON_EVERY_PYTHON(RemoteWalkerTest);

}  // namespace
}  // namespace pycroscope
