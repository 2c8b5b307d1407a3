#include "daemon/store/store.h"

#include <sys/stat.h>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

TEST_F(StoreTest, AFinishedSessionReadsAsItWasWritten) {
  auto writer = create("first");
  SampledProgram program(Workload::kPhases, make_stacks(writer->symbols(), 50), make_thread(writer->symbols()));
  SampleColumns written;
  for (int i = 0; i < 200'000; ++i) {
    written.push_back(program.next());
    writer->add(written.at(written.size() - 1));
    if (i % 30'000 != 0) continue;
    ASSERT_TRUE(writer->sync());
  }
  writer->add_loss(v1::LOSS_REASON_RING_FULL, 5);
  writer->set_duration(123);
  writer->session().mutable_target()->set_pid(42);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));

  auto reader = store().read("first", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  expect_equal(read_all(**reader), in_whole_microseconds(written));
  EXPECT_EQ((*reader)->damaged_events(), 0u);
  const v1::Session& session = (*reader)->session();
  EXPECT_EQ(session.state(), v1::SESSION_STATE_COMPLETE);
  EXPECT_EQ(session.samples(), 200'000u);
  EXPECT_EQ(session.loss().recorded(), 200'000u);
  EXPECT_EQ(session.loss().lost(), 5u);
  EXPECT_EQ(session.duration_ns(), 123);
  EXPECT_EQ(session.target().pid(), 42);
  EXPECT_GT(session.bytes(), 0u);
  EXPECT_LE(static_cast<double>(session.bytes()) / 200'000, 1.5);
  EXPECT_EQ((*reader)->symbols().mark(), writer->symbols().mark());
}

TEST_F(StoreTest, ASessionIsReadableWhileItIsWritten) {
  auto writer = create();
  SampledProgram program(Workload::kPhases, make_stacks(writer->symbols(), 50), make_thread(writer->symbols()));
  for (uint64_t round = 1; round <= 5; ++round) {
    for (int i = 0; i < 1'000; ++i) writer->add(program.next());
    ASSERT_TRUE(writer->sync());
    auto reader = store().read("latest", self_);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ((*reader)->session().state(), v1::SESSION_STATE_RECORDING);
    EXPECT_EQ((*reader)->session().samples(), round * 1'000);
    EXPECT_EQ(read_all(**reader).size(), round * 1'000);
  }
}

TEST_F(StoreTest, AFilterCutsAtBothEnds) {
  auto writer = create();
  ThreadId thread = make_thread(writer->symbols());
  for (int64_t ms = 0; ms < 100'000; ++ms)
    writer->add({ms * 1'000'000, thread, StackId{}, LabelSetId{}, 1'000'000, false});
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  auto reader = store().read("", self_);
  ASSERT_TRUE(reader);
  SampleColumns some = read_all(**reader, {10'000'000'000, 90'000'000'000});
  ASSERT_EQ(some.size(), 80'000u);
  EXPECT_EQ(some.time_ns.front(), 10'000'000'000);
  EXPECT_EQ(some.time_ns.back(), 89'999'000'000);
}

TEST_F(StoreTest, KeepsSourcesRenamesAndLabels) {
  auto writer = create();
  Symbols& symbols = writer->symbols();
  ThreadId thread = make_thread(symbols);
  FileId file = symbols.intern_file(symbols.intern_string("a.py"));
  auto hash = writer->add_source(file, "print(1)\n");
  ASSERT_TRUE(hash) << hash.error().message;
  ASSERT_TRUE(writer->sync());
  symbols.rename_thread(thread, symbols.intern_string("worker"));
  Label label{symbols.intern_string("task"), symbols.intern_string("t1")};
  LabelSetId labels = symbols.intern_labels(std::span(&label, 1));
  writer->add({1'000, thread, StackId{}, labels, 1, true});
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));

  auto reader = store().read("latest", self_);
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->source_hash(file), *hash);
  EXPECT_EQ((*reader)->source(*hash), "print(1)\n");
  EXPECT_EQ((*reader)->source(std::string(32, 'x')).error().code, ErrorCode::kNotFound);
  EXPECT_EQ((*reader)->source_hash(FileId{7}), "");
  const Symbols& read = (*reader)->symbols();
  EXPECT_EQ(read.string(read.thread(thread).name), "worker");
  ASSERT_EQ(read.labels(labels).size(), 1u);
  EXPECT_EQ(read.string(read.labels(labels)[0].value), "t1");
  EXPECT_EQ((*reader)->session().loss().truncated(), 1u);
}

TEST_F(StoreTest, AWriterThatGoesAwayLeavesAnInterruptedSession) {
  auto writer = create();
  writer->add({1'000, make_thread(writer->symbols()), StackId{}, LabelSetId{}, 1, false});
  ASSERT_TRUE(writer->sync());
  EXPECT_EQ(store().find("latest", self_)->state(), v1::SESSION_STATE_RECORDING);
  writer.reset();
  EXPECT_EQ(store().find("latest", self_)->state(), v1::SESSION_STATE_INTERRUPTED);
  EXPECT_EQ(read_all(**store().read("latest", self_)).size(), 1u);
}

TEST_F(StoreTest, FindsByIdPrefixNameAndLatest) {
  std::string first = create("one")->session().id();
  std::string second = create("two")->session().id();
  EXPECT_LT(first, second);
  EXPECT_EQ(store().find("latest", self_)->id(), second);
  EXPECT_EQ(store().find("", self_)->id(), second);
  EXPECT_EQ(store().find(first, self_)->id(), first);
  EXPECT_EQ(store().find("one", self_)->id(), first);
  EXPECT_EQ(store().find(first.substr(0, 21), self_)->id(), first);
  EXPECT_EQ(store().find(first.substr(0, 4), self_).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(store().find("three", self_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store().find("../sessions", self_).error().code, ErrorCode::kNotFound);
}

TEST_F(StoreTest, RefusesNamesThatMeanSomethingElse) {
  for (const char* name : {"a/b", "a\nb", "latest", "20261125-031500-7f3a9c"}) {
    v1::Session session;
    session.set_name(name);
    auto writer = store().create(session, self_);
    ASSERT_FALSE(writer) << name;
    EXPECT_EQ(writer.error().code, ErrorCode::kInvalid);
  }
  EXPECT_EQ(store().list(self_)->sessions.size(), 0u);
}

TEST_F(StoreTest, ADamagedDescriptionHidesNoOtherSession) {
  std::string good = create()->session().id(), bad = create()->session().id();
  std::ofstream(session_path(bad) / "session.pb") << "\xff\xff garbage";
  auto listing = store().list(self_);
  ASSERT_TRUE(listing);
  ASSERT_EQ(listing->sessions.size(), 1u);
  EXPECT_EQ(listing->sessions[0].id(), good);
  ASSERT_EQ(listing->problems.size(), 1u);
  EXPECT_NE(listing->problems[0].find(bad), std::string::npos);
  EXPECT_EQ(store().read(bad, self_).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store().remove(std::vector{bad}, self_)->ids, std::vector{bad});
}

TEST_F(StoreTest, MissingEventsAreOneSentence) {
  auto writer = create();
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  std::filesystem::remove_all(session_path(writer->session().id()) / "db");
  auto reader = store().read("latest", self_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(reader.error().message.find('\n'), std::string::npos);
}

TEST_F(StoreTest, ANewerFormatIsOneSentence) {
  auto writer = create();
  writer->session().set_format_version(99);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  auto reader = store().read("latest", self_);
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("newer"), std::string::npos);
}

TEST_F(StoreTest, AFileWhereTheStoreShouldBeIsOneSentence) {
  std::ofstream(directory_ / "file") << "x";
  auto opened = Store::open(directory_ / "file");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find((directory_ / "file").string()), std::string::npos);
}

TEST_F(StoreTest, OthersSeeNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make sessions of two users";
  v1::Session session;
  auto hers = store().create(session, {1001, 1001});
  ASSERT_TRUE(hers) << hers.error().message;
  (*hers)->add({1'000, make_thread((*hers)->symbols()), StackId{}, LabelSetId{}, 1, false});
  ASSERT_TRUE((*hers)->finish(v1::SESSION_STATE_COMPLETE));
  std::string id = (*hers)->session().id();
  EXPECT_EQ(store().list({1002, 1002})->sessions.size(), 0u);
  EXPECT_EQ(store().find(id, {1002, 1002}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store().remove(std::vector{id}, {1002, 1002}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store().find("latest", {1001, 1001})->owner_uid(), 1001u);
  EXPECT_EQ(store().list({0, 0})->sessions.size(), 1u);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(session_path(id))) {
    struct stat status{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 1001u) << entry.path();
  }
}

}  // namespace
}  // namespace pycroscope
