// What is left when a recorder is killed, a file is cut or damaged, or many use one store at once.
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

class CrashTest : public StoreTest {};

TEST_F(CrashTest, KillKeepsEverythingUpToTheLastSync) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    auto writer = create();
    ThreadId thread = make_thread(writer->symbols());
    for (int64_t i = 0; i < 70'000; ++i) writer->add({i * 1'000, thread, StackId{}, LabelSetId{}, 1'000, false});
    bool synced = writer->sync().has_value();
    writer->add({0, thread, StackId{}, LabelSetId{}, 1'000, false});
    static_cast<void>(::write(ready[1], synced ? "y" : "n", 1));
    ::pause();
  }
  char synced = 0;
  ASSERT_EQ(::read(ready[0], &synced, 1), 1);
  EXPECT_EQ(synced, 'y');
  EXPECT_EQ(store().remove(std::vector<std::string>{"latest"}, self_).error().code, ErrorCode::kFailed);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  auto reader = store().read("latest", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->session().state(), v1::SESSION_STATE_INTERRUPTED);
  EXPECT_EQ((*reader)->session().samples(), 70'000u);
  EXPECT_EQ(read_all(**reader).size(), 70'000u);
}

TEST_F(CrashTest, ALogThatWasCutOpensWithWhatIsThere) {
  constexpr int kSyncs = 20, kSamples = 5'000;
  const pid_t child = ::fork();
  if (child == 0) {
    auto writer = create();
    SampledProgram program(Workload::kUniform, make_stacks(writer->symbols(), 500), make_thread(writer->symbols()));
    bool synced = true;
    for (int i = 0; i < kSyncs; ++i) {
      for (int sample = 0; sample < kSamples; ++sample) writer->add(program.next());
      synced = writer->sync() && synced;
    }
    ::kill(::getpid(), synced ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  std::filesystem::path log;
  for (const auto& entry :
       std::filesystem::directory_iterator(session_path(store().find("latest", self_)->id()) / "db"))
    if (entry.path().extension() == ".log") log = entry.path();
  ASSERT_FALSE(log.empty());
  const auto whole = std::filesystem::file_size(log);
  uint64_t before = kSyncs * kSamples + 1;
  for (const auto size : {whole, whole * 3 / 4, whole / 2, whole / 4, whole - whole}) {
    std::filesystem::resize_file(log, size);
    const auto reader = store().read("latest", self_);
    ASSERT_TRUE(reader) << reader.error().message;
    const v1::Session& session = (*reader)->session();
    EXPECT_EQ(session.state(), v1::SESSION_STATE_INTERRUPTED);
    EXPECT_EQ(read_all(**reader).size(), session.loss().recorded());
    EXPECT_EQ(session.loss().recorded() + session.loss().lost(), uint64_t{kSyncs * kSamples});
    EXPECT_LT(session.loss().recorded(), before);
    EXPECT_EQ(session.loss().recorded() == 0, size == 0);
    before = session.loss().recorded();
  }
}

TEST_F(CrashTest, DamagedFilesCostSamplesThatAreCounted) {
  auto writer = create();
  SampledProgram program(Workload::kUniform, make_stacks(writer->symbols(), 500), make_thread(writer->symbols()));
  for (int i = 0; i < 140'000; ++i) writer->add(program.next());
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  for (const auto& entry : std::filesystem::directory_iterator(session_path(writer->session().id()) / "db")) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 4));
    file.put('\xAA').put('\x55').put('\xAA');
  }
  auto reader = store().read("latest", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  size_t readable = read_all(**reader).size();
  EXPECT_LT(readable, 140'000u);
  EXPECT_GT(readable, 0u);
  const v1::Loss& loss = (*reader)->session().loss();
  EXPECT_EQ(readable + (*reader)->damaged_events(), loss.recorded()) << "what can be read is recorded, nothing else";
  EXPECT_EQ(loss.recorded() + loss.lost(), 140'000u);
}

TEST_F(CrashTest, PruneKeepsTheNewestAndThoseBeingRecorded) {
  auto recording = create();
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    auto writer = create();
    ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
    ids.push_back(writer->session().id());
  }
  auto deleted = store().prune(2, std::nullopt, self_);
  ASSERT_TRUE(deleted) << deleted.error().message;
  EXPECT_EQ(deleted->ids, (std::vector{ids[0], ids[1]}));
  EXPECT_GT(deleted->bytes, 0u);
  EXPECT_EQ(store().prune(std::nullopt, 0, self_)->ids, (std::vector{ids[2], ids[3]}));
  EXPECT_EQ(store().list(self_)->sessions.size(), 1u);
}

TEST_F(CrashTest, DeletingFollowsNoLink) {
  auto writer = create();
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  std::filesystem::create_directory(directory_ / "precious");
  std::ofstream(directory_ / "precious/file") << "x";
  std::filesystem::create_directory_symlink(directory_ / "precious", session_path(writer->session().id()) / "link");
  ASSERT_TRUE(store().remove(std::vector<std::string>{"latest"}, self_));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "precious/file"));
}

TEST_F(CrashTest, ManyUseOneStoreAtOnce) {
  static_cast<void>(store());
  auto check = [](const auto& result) { EXPECT_TRUE(result) << result.error().message; };
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user)
    users.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        auto writer = create();
        writer->add({1'000, make_thread(writer->symbols()), StackId{}, LabelSetId{}, 1, false});
        check(writer->sync());
        check(store().read(writer->session().id(), self_));
        check(writer->finish(v1::SESSION_STATE_COMPLETE));
      }
    });
  for (int user = 0; user < 2; ++user)
    users.emplace_back([&] {
      for (int round = 0; round < 30; ++round) {
        check(store().prune(6, std::nullopt, self_));
        auto listing = store().list(self_);
        check(listing);
        EXPECT_TRUE(listing->problems.empty());
      }
    });
  for (std::thread& user : users) user.join();
  check(store().prune(6, std::nullopt, self_));
  EXPECT_EQ(store().list(self_)->sessions.size(), 6u);
}

}  // namespace
}  // namespace pycroscope
