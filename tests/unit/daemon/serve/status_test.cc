#include "daemon/serve/status.h"

#include <gtest/gtest.h>

#include "daemon/serve/in_process.h"
#include "pycroscope/v1/service.grpc.pb.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

// Over the in-process door, which is the shortest way through real servers and clients.
class StatusTest : public testing::Test {
 protected:
  template <class Request, class Response>
  Error error_of(grpc::Status (v1::Profiler::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                 const Request& request) {
    const auto stub = v1::Profiler::NewStub(server_.channel());
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (*stub.*method)(&context, request, &response);
    EXPECT_FALSE(status.ok());
    return from_grpc(status, context);
  }

  test::TemporaryDirectory directory_;
  Engine engine_{Store::open(directory_.path() / "store").value()};
  InProcessServer server_{engine_, Caller::self()};
};

TEST_F(StatusTest, CodeAndSentenceArrive) {
  v1::DumpRequest dump;
  dump.set_pid(0x3fffffff);
  const Error gone = error_of(&v1::Profiler::Stub::Dump, dump);
  EXPECT_EQ(gone.code, ErrorCode::kTargetGone);
  EXPECT_EQ(gone.message, "there is no process 1073741823");

  v1::GetSessionRequest session;
  session.set_session("nothing-of-that-name");
  EXPECT_EQ(error_of(&v1::Profiler::Stub::GetSession, session).code, ErrorCode::kNotFound);
  EXPECT_EQ(error_of(&v1::Profiler::Stub::PruneSessions, {}).code, ErrorCode::kInvalid);
}

TEST_F(StatusTest, OversizedRequestIsRefused) {
  v1::DeleteSessionsRequest request;
  request.add_sessions(std::string(5 << 20, 'x'));
  const Error error = error_of(&v1::Profiler::Stub::DeleteSessions, request);
  EXPECT_EQ(error.code, ErrorCode::kFailed);
  EXPECT_NE(error.message.find("too large"), std::string::npos) << error.message;
}

TEST(ExitCode, IsTheOneThatScriptsRelyOn) {
  EXPECT_EQ(exit_code(ErrorCode::kFailed), 1);
  EXPECT_EQ(exit_code(ErrorCode::kInvalid), 2);
  EXPECT_EQ(exit_code(ErrorCode::kTargetGone), 3);
  EXPECT_EQ(exit_code(ErrorCode::kNotPermitted), 4);
  EXPECT_EQ(exit_code(ErrorCode::kUnavailable), 5);
}

}  // namespace
}  // namespace pycroscope
