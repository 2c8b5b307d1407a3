// A file that is there whole or not at all.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

// Written beside its final place and moved there by commit(); without that, nothing is left behind. "-" is the standard
// output; a device or a pipe is written directly.
class OutputFile {
 public:
  // Fails with a sentence when the folder is missing or not writable, or `path` is a folder.
  static Result<OutputFile> create(const std::string& path);
  // The same checks, nothing written.
  static Status check(const std::string& path);

  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  Status write(std::string_view text);
  Status commit();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  OutputFile(std::string path, std::string temporary, std::FILE* file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}
  Status failure(int error) const;

  std::string path_;
  std::string temporary_;                   // empty: path_ is written directly
  std::unique_ptr<std::FILE, Close> file_;  // null: the standard output
};

}  // namespace pycroscope
