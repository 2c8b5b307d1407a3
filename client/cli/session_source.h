// Where the session that a reading command names is found: in a service's store, or in a packed file.
#pragma once

#include <filesystem>
#include <string>

#include "analysis/model/result.h"
#include "client/cli/connection.h"

namespace pycroscope {

// A directory that is removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() = default;  // none
  static Result<TemporaryDirectory> create();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

struct SessionSource {
  // `session`: an id, the start of one, a name, "latest", "" for the latest, or the path of a packed file, which is
  // unpacked into a store that lasts as long as this object.
  static Result<SessionSource> open(const ServiceOptions& options, const std::string& session);

  TemporaryDirectory store;  // outlives the connection
  Connection connection;
  std::string session;
};

// Puts the packed file `path` into the store behind `connection`.
Result<v1::Session> unpack_file(const Connection& connection, const std::string& path);

}  // namespace pycroscope
