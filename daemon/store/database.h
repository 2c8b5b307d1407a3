// The key-value database inside a session: the only files that know RocksDB.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

struct KeyValue {
  std::string key;
  std::string value;
};

// A snapshot of a session's entries. Thread-safe.
class DatabaseReader {
 public:
  virtual ~DatabaseReader() = default;
  // kNotFound when there is no such key, kCorrupt when it cannot be read.
  virtual Result<std::string> get(std::string_view key) const = 0;
  // All entries whose key begins with `prefix`, in order, until `visit` returns false. kCorrupt when not all of them
  // could be read; those before were visited.
  virtual Status scan(std::string_view prefix,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
};

// Opens beside a process that writes. `directory` as users know it, for the sentence.
Result<std::unique_ptr<DatabaseReader>> open_database(const std::filesystem::path& directory);

// Entries in memory: a packed session.
class MemoryDatabase : public DatabaseReader {
 public:
  void put(std::string_view key, std::string_view value) { entries_.insert_or_assign(std::string(key), value); }
  Result<std::string> get(std::string_view key) const override;
  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override;

 private:
  std::map<std::string, std::string, std::less<>> entries_;
};

// One owner thread.
class DatabaseWriter {
 public:
  virtual ~DatabaseWriter() = default;
  // All entries or none. With `sync` they, and all before them, are on the disk when it returns. kNoSpace on a full
  // disk: nothing of this call was stored, and a later call works when there is room again.
  virtual Status write(std::span<const KeyValue> entries, bool sync) = 0;
  // Removes the entries of `keys` and stores `entry`: all of it or nothing. With `reclaim` their room is given back
  // before it returns, else some time later.
  virtual Status replace(std::span<const std::string> keys, const KeyValue& entry, bool reclaim) = 0;
  // Leaves the database with nothing but files that readers need.
  virtual Status close() = 0;
};

// `directory` must be empty.
Result<std::unique_ptr<DatabaseWriter>> create_database(const std::filesystem::path& directory);

}  // namespace pycroscope
