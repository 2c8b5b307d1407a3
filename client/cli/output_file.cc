#include "client/cli/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "client/cli/terminal.h"

namespace pycroscope {
namespace fs = std::filesystem;
namespace {

// Where a link leads: renaming over the link itself would replace it.
fs::path final_path(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::canonical(path, error);
  return error ? fs::path(path) : resolved;
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

bool is_special(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return !error && fs::exists(status) && !fs::is_regular_file(status);
}

}  // namespace

Status OutputFile::check(const std::string& path) {
  if (path == "-") return {};
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return fail(ErrorCode::kFailed, fmt::format("{} is a folder: name a file in it with -o", path));
  }
  const fs::path target = final_path(path);
  const fs::path folder = folder_of(target);
  if (!fs::is_directory(folder, error)) {
    return fail(ErrorCode::kFailed,
                fmt::format("cannot write {}: there is no folder {}; make it, or give another place with -o", path,
                            folder.string()));
  }
  const bool direct = is_special(target);
  if (::access(direct ? target.c_str() : folder.c_str(), W_OK) != 0) {
    return fail(ErrorCode::kFailed,
                fmt::format("cannot write {}: {}; give another place with -o", path, std::strerror(errno)));
  }
  return {};
}

Result<OutputFile> OutputFile::create(const std::string& path) {
  PYC_CHECK(check(path));
  if (path == "-") return OutputFile(path, "", nullptr);
  const fs::path target = final_path(path);
  std::string temporary;
  if (!is_special(target)) {
    temporary = (folder_of(target) / fmt::format(".{}.{}.part", target.filename().string(), ::getpid())).string();
  }
  std::FILE* file = std::fopen(temporary.empty() ? target.c_str() : temporary.c_str(), "w");
  if (file == nullptr) {
    return fail(ErrorCode::kFailed,
                fmt::format("cannot write {}: {}; give another place with -o", path, std::strerror(errno)));
  }
  return OutputFile(target.string(), std::move(temporary), file);
}

OutputFile::~OutputFile() {
  if (file_ != nullptr && !temporary_.empty()) ::unlink(temporary_.c_str());
}

Status OutputFile::failure(int error) const {
  return fail(error == ENOSPC || error == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kFailed,
              fmt::format("cannot write {}: {}", path_, std::strerror(error)));
}

Status OutputFile::write(std::string_view text) {
  if (file_ == nullptr) return print(text);
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) return failure(errno);
  return {};
}

Status OutputFile::commit() {
  if (file_ == nullptr) return {};
  if (std::fflush(file_.get()) != 0) return failure(errno);
  if (!temporary_.empty() && std::rename(temporary_.c_str(), path_.c_str()) != 0) return failure(errno);
  temporary_.clear();
  file_.reset();
  return {};
}

}  // namespace pycroscope
