#include "daemon/store/database.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include <chrono>
#include <climits>
#include <system_error>
#include <thread>

#include "daemon/store/deferred_sync.h"

namespace pycroscope {
namespace {

// RocksDB writes a log file unless it is given a logger.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Options base_options() {
  rocksdb::Options options;
  options.info_log = std::make_shared<NoLog>();
  options.compression = rocksdb::kNoCompression;  // values are compressed already
  options.disable_auto_compactions = true;        // blocks are append-only: rewriting them buys nothing
  options.level0_slowdown_writes_trigger = INT_MAX;
  options.level0_stop_writes_trigger = INT_MAX;
  options.write_buffer_size = size_t{4} << 20;  // what a recorder may hold in memory
  options.arena_block_size = size_t{64} << 10;
  options.max_write_buffer_number = 2;
  options.max_background_jobs = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.allow_fallocate = false;  // sizes on disk are those of the data
  options.skip_stats_update_on_db_open = true;
  options.skip_checking_sst_file_sizes_on_db_open = true;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;  // entries are read once
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// So often what was removed gives its room back: what is left is written anew each time.
constexpr size_t kRemovedPerCompaction = 64;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

Error to_error(const rocksdb::Status& status) {
  if (status.IsNotFound()) return {ErrorCode::kNotFound, "no such entry"};
  if (status.IsNoSpace() || status.ToString().find("No space left") != std::string::npos ||
      status.ToString().find("Disk quota exceeded") != std::string::npos ||
      status.ToString().find("File too large") != std::string::npos)
    return {ErrorCode::kNoSpace, "no space left on the store's disk: free some, or record to another --store"};
  if (status.ToString().find("Permission denied") != std::string::npos)
    return {ErrorCode::kNotPermitted, status.ToString()};
  return {status.IsCorruption() ? ErrorCode::kCorrupt : ErrorCode::kFailed, status.ToString()};
}

class RocksReader : public DatabaseReader {
 public:
  explicit RocksReader(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  Result<std::string> get(std::string_view key) const override {
    std::string value;
    rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), slice(key), &value);
    if (!status.ok()) return std::unexpected(to_error(status));
    return value;
  }

  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
    for (it->Seek(slice(prefix)); it->Valid() && it->key().starts_with(slice(prefix)); it->Next())
      if (!visit(view(it->key()), view(it->value()))) return {};
    if (!it->status().ok()) return fail(ErrorCode::kCorrupt, it->status().ToString());
    return {};
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
};

class RocksWriter : public DatabaseWriter {
 public:
  RocksWriter(std::unique_ptr<DeferredSyncEnv> env, std::unique_ptr<rocksdb::DB> db, std::filesystem::path directory)
      : env_(std::move(env)), db_(std::move(db)), directory_(std::move(directory)) {}

  Status write(std::span<const KeyValue> entries, bool sync) override {
    if (broken_) PYC_CHECK(resume());
    rocksdb::WriteBatch batch;
    for (const KeyValue& entry : entries) batch.Put(entry.key, entry.value);
    rocksdb::Status status = entries.empty() ? rocksdb::Status() : db_->Write(rocksdb::WriteOptions(), &batch);
    if (status.ok() && sync) {
      PYC_CHECK(env_->begin(directory_));
      status = db_->SyncWAL();
    }
    if (status.ok()) return {};
    broken_ = true;
    return std::unexpected(to_error(status));
  }

  Status replace(std::span<const std::string> keys, const KeyValue& entry, bool reclaim) override {
    if (broken_) PYC_CHECK(resume());
    rocksdb::WriteBatch batch;
    for (const std::string& key : keys) batch.Delete(key);
    batch.Put(entry.key, entry.value);
    rocksdb::Status status = db_->Write(rocksdb::WriteOptions(), &batch);
    removed_ += keys.size();
    if (status.ok() && (reclaim || removed_ >= kRemovedPerCompaction)) {
      removed_ = 0;
      PYC_CHECK(env_->begin(directory_));
      status = db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr);
    }
    if (status.ok()) return {};
    broken_ = true;
    return std::unexpected(to_error(status));
  }

  Status close() override {
    if (broken_) PYC_CHECK(resume());
    PYC_CHECK(env_->begin(directory_));
    rocksdb::Status status = db_->Flush(rocksdb::FlushOptions());
    if (status.ok()) status = db_->Close();
    db_.reset();
    if (!status.ok()) return std::unexpected(to_error(status));
    remove_needless_files();
    return {};
  }

 private:
  // After a failed write RocksDB refuses all others, and its own recovery comes when it pleases: open it anew, which
  // also forgets what of the failed write reached the log. Without room for that, the next call tries again.
  Status resume() {
    db_.reset();
    rocksdb::Options options = base_options();
    options.env = env_->env();
    options.avoid_flush_during_recovery = true;
    rocksdb::DB* db = nullptr;
    if (rocksdb::Status status = rocksdb::DB::Open(options, directory_, &db); !status.ok())
      return std::unexpected(to_error(status));
    db_.reset(db);
    broken_ = false;
    return {};
  }

  // What RocksDB keeps for those who open it for writing again, which nobody does.
  void remove_needless_files() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored)) {
      std::string name = entry.path().filename();
      bool needless = name.starts_with("OPTIONS-") || name == "LOCK" || name == "IDENTITY" || name.ends_with(".log");
      if (needless) std::filesystem::remove(entry.path(), ignored);
    }
  }

  std::unique_ptr<DeferredSyncEnv> env_;  // outlives db_
  std::unique_ptr<rocksdb::DB> db_;
  std::filesystem::path directory_;
  bool broken_ = false;
  size_t removed_ = 0;  // keys, since the last compaction
};

}  // namespace

Result<std::unique_ptr<DatabaseReader>> open_database(const std::filesystem::path& directory) {
  // A writer may replace its files between the moment we read their list and the moment we open them.
  constexpr int kAttempts = 5;
  rocksdb::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2 << attempt));
    rocksdb::DB* db = nullptr;
    status = rocksdb::DB::OpenForReadOnly(base_options(), directory, &db);
    if (status.ok()) return std::make_unique<RocksReader>(std::unique_ptr<rocksdb::DB>(db));
  }
  return std::unexpected(to_error(status));
}

Result<std::string> MemoryDatabase::get(std::string_view key) const {
  auto it = entries_.find(key);
  if (it == entries_.end()) return fail(ErrorCode::kNotFound, "no such entry");
  return it->second;
}

Status MemoryDatabase::scan(std::string_view prefix,
                            const std::function<bool(std::string_view, std::string_view)>& visit) const {
  for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it)
    if (!visit(it->first, it->second)) break;
  return {};
}

Result<std::unique_ptr<DatabaseWriter>> create_database(const std::filesystem::path& directory) {
  auto env = std::make_unique<DeferredSyncEnv>();
  rocksdb::Options options = base_options();
  options.env = env->env();
  options.create_if_missing = true;
  options.error_if_exists = true;
  rocksdb::DB* db = nullptr;
  if (rocksdb::Status status = rocksdb::DB::Open(options, directory, &db); !status.ok())
    return std::unexpected(to_error(status));
  return std::make_unique<RocksWriter>(std::move(env), std::unique_ptr<rocksdb::DB>(db), directory);
}

}  // namespace pycroscope
