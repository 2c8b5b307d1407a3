// Reading files of /proc and the like, the words for errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// "No such file or directory" etc.; thread-safe.
std::string errno_text(int error);

// The failure of a system call on `path`: ENOENT and ESRCH are kNotFound, EACCES and EPERM kNotPermitted, ENOSPC and
// EDQUOT kNoSpace, all else kFailed. The sentence is "`what` PATH: TEXT".
std::unexpected<Error> os_failure(int error, const std::string& what, const std::string& path);

Result<Fd> open_for_reading(const std::string& path);

// Without the effects that opening a FIFO or a device can have: what is no regular file is kFailed.
Result<Fd> open_regular_file(const std::string& path);

Result<uint64_t> file_size(const Fd& fd);

// Fills `out` from `offset` on, and says how much of it: less where the file ends.
Result<size_t> read_at(const Fd& fd, uint64_t offset, std::span<std::byte> out);

// The whole file, also where its size is not known before (/proc). A file longer than `limit` bytes is an error.
Result<std::string> read_file(const std::string& path, size_t limit);

// What a symbolic link says; fails as os_failure does.
Result<std::string> read_link(const std::string& path);

}  // namespace pycroscope
