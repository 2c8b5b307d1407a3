#include "client/cli/session_source.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace pycroscope {
namespace fs = std::filesystem;

Result<TemporaryDirectory> TemporaryDirectory::create() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  std::string path = ((error ? fs::path("/tmp") : parent) / "pycroscope-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(ErrorCode::kFailed, fmt::format("cannot make a temporary folder {}: {}; set TMPDIR to a folder that is "
                                                "writable",
                                                path, std::strerror(errno)));
  }
  return TemporaryDirectory(path);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<v1::Session> unpack_file(const Connection& connection, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kFailed, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  grpc::ClientContext context;
  v1::Session session;
  const auto writer = connection.api().UnpackSession(&context, &session);
  std::array<char, 256 * 1024> buffer;
  v1::Chunk chunk;
  bool sent = true;
  while (sent && file) {
    file.read(buffer.data(), buffer.size());
    if (file.gcount() == 0) break;
    chunk.set_data(buffer.data(), static_cast<size_t>(file.gcount()));
    sent = writer->Write(chunk);  // false: the service has ended the call, and Finish() says why
  }
  if (file.bad()) context.TryCancel();
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (file.bad()) return fail(ErrorCode::kFailed, fmt::format("cannot read {}", path));
  if (!status.ok()) {
    Error error = from_grpc(status, context);
    return fail(error.code, fmt::format("cannot unpack {}: {}", path, error.message));
  }
  return session;
}

Result<SessionSource> SessionSource::open(const ServiceOptions& options, const std::string& session) {
  std::error_code ignored;
  if (!fs::is_regular_file(session, ignored)) {
    PYC_TRY(Connection connection, Connection::open(options));
    return SessionSource{{}, std::move(connection), session.empty() ? "latest" : session};
  }
  PYC_TRY(TemporaryDirectory store, TemporaryDirectory::create());
  PYC_TRY(Connection connection, Connection::open_in_process(store.path()));
  PYC_TRY(const v1::Session unpacked, unpack_file(connection, session));
  return SessionSource{std::move(store), std::move(connection), unpacked.id()};
}

}  // namespace pycroscope
