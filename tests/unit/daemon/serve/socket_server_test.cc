#include "daemon/serve/socket_server.h"

#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <future>
#include <string>
#include <vector>

#include "daemon/serve/status.h"
#include "tests/unit/daemon/serve/daemon_fixture.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

using google::protobuf::util::TimeUtil;
using test::SocketPeer;

constexpr uid_t kAlice = 54321, kBob = 54322;

using SocketServerTest = test::DaemonTest;

// Whether the other side closes before `fd` is silent for ten seconds.
bool is_closed(const Fd& fd) {
  while (true) {
    pollfd readable{fd.get(), POLLIN, 0};
    if (::poll(&readable, 1, 10'000) != 1) return false;
    char bytes[4096];
    if (::read(fd.get(), bytes, sizeof(bytes)) <= 0) return true;
  }
}

TEST_F(SocketServerTest, Answers) {
  EXPECT_TRUE(answers());
  stop();
  EXPECT_FALSE(test::connect_to(socket_));
}

TEST_F(SocketServerTest, GarbageClosesOnlyItsOwnConnection) {
  SocketPeer bystander(socket_, ::getuid());
  const auto stub = bystander.stub();
  ASSERT_TRUE(call_version(*stub).ok());
  const std::string garbage[] = {std::string(100'000, '\0'), "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(1000, '\xff')};
  for (const std::string& bytes : garbage) {
    const Fd connection = test::connect_to(socket_);
    ASSERT_TRUE(connection);
    // The server may close before it has taken all of it.
    [[maybe_unused]] const ssize_t sent = ::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    EXPECT_TRUE(is_closed(connection));
  }
  EXPECT_TRUE(call_version(*stub).ok());
  EXPECT_TRUE(answers());
}

TEST_F(SocketServerTest, OneUserCannotTakeAllConnections) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can connect as others";
  stop();
  start({.connections_per_user = 4, .connections = 100});
  std::vector<Fd> idle;
  for (int i = 0; i < 4; ++i) idle.push_back(test::connect_to(socket_));
  const Fd refused = test::connect_to(socket_);
  EXPECT_TRUE(is_closed(refused));
  SocketPeer other(socket_, kAlice);
  EXPECT_TRUE(call_version(*other.stub()).ok());
  // Room again as soon as one of them has gone.
  idle.pop_back();
  bool answered = false;
  for (int tries = 0; tries < 100 && !answered; ++tries) answered = answers();
  EXPECT_TRUE(answered);
}

// Everything below looks at real Python processes of several users.
class UsersTest : public test::DaemonTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "sampling needs root";
    if (::access(kPython, X_OK) != 0) GTEST_SKIP() << kPython << " is missing";
    DaemonTest::SetUp();
  }

  static constexpr const char* kPython = "/usr/bin/python3";
  static std::string busy_program(uid_t uid) {
    return "import os\nos.setgroups([])\nos.setresgid(" + std::to_string(uid) + "," + std::to_string(uid) + "," +
           std::to_string(uid) + ")\nos.setresuid(" + std::to_string(uid) + "," + std::to_string(uid) + "," +
           std::to_string(uid) + ")\n" +
           R"(
import sys
# Changing ids makes a process undumpable until it starts a program.
os.execv(sys.executable, [sys.executable, "-c", '''
def burn():
    while True:
        sum(range(1000))
print("ready", flush=True)
burn()
'''])
)";
  }
  static test::TestPython python() { return {"debian", kPython, ""}; }

  static v1::AttachRequest attach_request(pid_t pid, int64_t ms) {
    v1::AttachRequest request;
    request.set_pid(pid);
    request.mutable_config()->set_rate_hz(1000);
    *request.mutable_progress_interval() = TimeUtil::MillisecondsToDuration(100);
    if (ms != 0) *request.mutable_config()->mutable_duration() = TimeUtil::MillisecondsToDuration(ms);
    return request;
  }
  // The final session of a recording, or why there is none.
  static Result<v1::Session> attach(v1::Profiler::Stub& stub, const v1::AttachRequest& request) {
    grpc::ClientContext context;
    const auto reader = stub.Attach(&context, request);
    v1::RecordingUpdate update, last;
    while (reader->Read(&update)) last = update;
    const grpc::Status status = reader->Finish();
    if (!status.ok()) return std::unexpected(from_grpc(status, context));
    return last.session();
  }
  static std::vector<v1::Session> sessions(v1::Profiler::Stub& stub) {
    grpc::ClientContext context;
    v1::ListSessionsResponse response;
    EXPECT_TRUE(stub.ListSessions(&context, {}, &response).ok());
    return {response.sessions().begin(), response.sessions().end()};
  }
};

TEST_F(UsersTest, NeitherSeesNorAttachesToTheOther) {
  test::PythonTarget alices(python(), busy_program(kAlice)), bobs(python(), busy_program(kBob));
  ASSERT_TRUE(alices.wait_until_ready());
  ASSERT_TRUE(bobs.wait_until_ready());
  SocketPeer alice_peer(socket_, kAlice), bob_peer(socket_, kBob);
  const auto alice = alice_peer.stub(), bob = bob_peer.stub();

  const auto own = attach(*alice, attach_request(alices.pid(), 300));
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->owner_uid(), kAlice);
  EXPECT_GT(own->samples(), 0U);
  const auto others = attach(*alice, attach_request(bobs.pid(), 300));
  ASSERT_FALSE(others);
  EXPECT_EQ(others.error().code, ErrorCode::kNotPermitted);
  EXPECT_EQ(attach(*alice, attach_request(::getpid(), 300)).error().code, ErrorCode::kNotPermitted);

  EXPECT_EQ(sessions(*alice).size(), 1U);
  EXPECT_TRUE(sessions(*bob).empty());
  grpc::ClientContext context;
  v1::GetSessionRequest request;
  request.set_session(own->id());
  v1::Session session;
  const grpc::Status hidden = bob->GetSession(&context, request, &session);
  EXPECT_EQ(from_grpc(hidden, context).code, ErrorCode::kNotFound);

  SocketPeer root_peer(socket_, 0);
  EXPECT_EQ(sessions(*root_peer.stub()).size(), 1U) << "root sees all";
}

TEST_F(UsersTest, ClientThatIsGoneLeavesItsSession) {
  test::PythonTarget target(python(), busy_program(0));
  ASSERT_TRUE(target.wait_until_ready());
  {
    SocketPeer peer(socket_, 0);
    const auto stub = peer.stub();
    grpc::ClientContext context;
    const auto reader = stub->Attach(&context, attach_request(target.pid(), 0));
    v1::RecordingUpdate update;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(reader->Read(&update));
    context.TryCancel();
    reader->Finish();
  }
  SocketPeer peer(socket_, 0);
  const auto stub = peer.stub();
  std::vector<v1::Session> left;
  do {
    left = sessions(*stub);
    ASSERT_EQ(left.size(), 1U);
  } while (left[0].state() == v1::SESSION_STATE_RECORDING);
  EXPECT_EQ(left[0].state(), v1::SESSION_STATE_COMPLETE);
  EXPECT_GT(left[0].samples(), 0U);
}

TEST_F(UsersTest, FourRecordingsAReportAndPruningAtOnce) {
  test::PythonTarget target(python(), busy_program(0));
  ASSERT_TRUE(target.wait_until_ready());
  SocketPeer first(socket_, 0);
  const auto stub = first.stub();
  ASSERT_TRUE(attach(*stub, attach_request(target.pid(), 200)));
  std::vector<std::future<Result<v1::Session>>> recordings;
  for (int i = 0; i < 4; ++i) {
    recordings.push_back(
        std::async(std::launch::async, [&] { return attach(*stub, attach_request(target.pid(), 500)); }));
  }
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext view_context, prune_context;
    v1::ViewRequest report;
    report.set_kind(v1::VIEW_KIND_FUNCTIONS);
    v1::View view;
    const grpc::Status reported = stub->GetView(&view_context, report, &view);
    EXPECT_TRUE(reported.ok()) << reported.error_message();
    v1::PruneSessionsRequest prune;
    prune.set_keep(5);
    v1::DeleteSessionsResponse deleted;
    const grpc::Status pruned = stub->PruneSessions(&prune_context, prune, &deleted);
    EXPECT_TRUE(pruned.ok()) << pruned.error_message();
  }
  for (auto& recording : recordings) {
    const auto session = recording.get();
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_GT(session->samples(), 0U);
  }
  EXPECT_EQ(sessions(*stub).size(), 5U);
}

}  // namespace
}  // namespace pycroscope
