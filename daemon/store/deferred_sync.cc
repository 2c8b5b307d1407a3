#include "daemon/store/deferred_sync.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "daemon/os/fd.h"
#include "daemon/store/files.h"

namespace pycroscope {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile>&& file, const std::atomic<bool>& syncing)
      : FSWritableFileOwnerWrapper(std::move(file)), syncing_(syncing) {}
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    return syncing_ ? FSWritableFileOwnerWrapper::Sync(options, context) : IOStatus::OK();
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return syncing_ ? FSWritableFileOwnerWrapper::Fsync(options, context) : IOStatus::OK();
  }

 private:
  const std::atomic<bool>& syncing_;
};

class Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory>&& directory, const std::atomic<bool>& syncing)
      : FSDirectoryWrapper(std::move(directory)), syncing_(syncing) {}
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return syncing_ ? FSDirectoryWrapper::Fsync(options, context) : IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* context,
                               const rocksdb::DirFsyncOptions& what) override {
    return syncing_ ? FSDirectoryWrapper::FsyncWithDirOptions(options, context, what) : IOStatus::OK();
  }

 private:
  const std::atomic<bool>& syncing_;
};

Status sync_path(const std::filesystem::path& path, int flags) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  // RocksDB removes files that it has done with whenever it likes.
  if (!fd && errno == ENOENT) return {};
  if (!fd || ::fsync(fd.get()) != 0) return std::unexpected(system_error("cannot write the session to the disk"));
  return {};
}

}  // namespace

class DeferredSyncFileSystem : public rocksdb::FileSystemWrapper {
 public:
  DeferredSyncFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "DeferredSync"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* context) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, context);
    if (status.ok()) *file = std::make_unique<File>(std::move(*file), syncing);
    return status;
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* context) override {
    IOStatus status = FileSystemWrapper::NewDirectory(name, options, directory, context);
    if (status.ok()) *directory = std::make_unique<Directory>(std::move(*directory), syncing);
    return status;
  }

  std::atomic<bool> syncing = false;
};

DeferredSyncEnv::DeferredSyncEnv()
    : files_(std::make_shared<DeferredSyncFileSystem>()), env_(rocksdb::NewCompositeEnv(files_)) {}
DeferredSyncEnv::~DeferredSyncEnv() = default;

Status DeferredSyncEnv::begin(const std::filesystem::path& directory) {
  if (files_->syncing.exchange(true)) return {};
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    if (entry.is_regular_file(ignored)) PYC_CHECK(sync_path(entry.path(), O_NOFOLLOW));
  return sync_path(directory, O_DIRECTORY);
}

}  // namespace pycroscope
