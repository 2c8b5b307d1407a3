// Opening files as a target sees them. The names come from the target: they may lead anywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"
#include "daemon/target/process.h"

namespace pycroscope {

// Whether a code object's co_filename can name a file: "<string>" and "<frozen importlib._bootstrap>" do not.
bool names_a_file(std::string_view filename);

// A target's root and working directory. They stay usable after its end.
class TargetDirectories {
 public:
  static constexpr size_t kMaxSourceBytes = 8 << 20;

  static Result<TargetDirectories> open(const Process& process);

  // The content of a regular file of at most kMaxSourceBytes. Symbolic links are resolved inside the target's root;
  // relative names start at its working directory and stay below it. Never waits for a device or a pipe. kNotFound,
  // kNotPermitted or kFailed otherwise.
  Result<std::string> read(const std::string& filename) const;

 private:
  TargetDirectories(Fd root, Fd working) : root_(std::move(root)), working_(std::move(working)) {}
  Fd root_;
  Fd working_;
};

}  // namespace pycroscope
