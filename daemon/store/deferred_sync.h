// A RocksDB environment whose files are not synced until they matter. Opening a new database syncs half a dozen files
// and their directory one after another, which takes a tenth of a second on a usual disk, to protect nothing yet.
#pragma once

#include <rocksdb/env.h>

#include <filesystem>
#include <memory>

#include "analysis/model/result.h"

namespace pycroscope {

class DeferredSyncFileSystem;

class DeferredSyncEnv {
 public:
  DeferredSyncEnv();
  ~DeferredSyncEnv();

  // For rocksdb::Options::env; lives as long as this object.
  rocksdb::Env* env() const { return env_.get(); }
  // From now on files are synced when RocksDB asks for it; those of `directory`, and the directory, are synced now.
  Status begin(const std::filesystem::path& directory);

 private:
  std::shared_ptr<DeferredSyncFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace pycroscope
