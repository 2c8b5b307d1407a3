// The modules of a core file's process. What of them is not in the core file stands in their own files, which may be
// here, missing, or other builds by now.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/target/core_file.h"
#include "daemon/target/file_memory.h"
#include "daemon/target/modules.h"

namespace pycroscope {

// Any thread may use it.
class CoreModules final : public TargetModules {
 public:
  // `core` must outlive the object. `executable`: the file of ours to take for the program's; empty: the path that the
  // core file names.
  CoreModules(const CoreFile& core, std::string executable) : core_(core), own_executable_(std::move(executable)) {}

  std::string target_name() const override { return "the process in " + core_.path(); }
  Result<std::string> executable() const override;
  // Those whose first page is in the core file: of others nobody can tell what they were.
  Result<std::vector<Module>> list() const override;
  Result<Fd> open(const Module& module) const override;

  // The file that was mapped at `address`, and at which offset of it that is. kMemory, with a sentence: there was none,
  // or it is not here.
  struct Place {
    const FileMemory* file = nullptr;
    RemoteAddress offset;
  };
  Result<Place> place_of(RemoteAddress address) const;

  // A clause for each file that was looked for and is not here: "PATH is missing".
  std::vector<std::string> problems() const;

 private:
  Result<FileMemory> open_file(const MapEntry& mapping) const;
  Status check_same(const FileMemory& file, const MapEntry& mapping, const std::string& path) const;

  const CoreFile& core_;
  const std::string own_executable_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Result<FileMemory>> files_;  // by the path that the core file names
};

}  // namespace pycroscope
