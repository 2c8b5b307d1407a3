// A session as one file, NAME.pycro. ON DISK: DO NOT CHANGE.
//
//   file    := magic frame                   magic = "PYCRO" 1a 0a 01, the last byte is the version of the container
//   frame   := one zstd frame of: session entry* end
//   session := 01 size:varint v1::Session
//   entry   := 02 key_size:varint value_size:varint key value        as in the session's database, keys.h
//   end     := 03 sha256                     of everything before this record, uncompressed
//
// It holds entries, not files: nothing in it can name a path.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "daemon/store/database.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

using PackWriter = std::function<Status(std::string_view chunk)>;
using PackSource = std::function<Result<std::string>()>;  // "" at the end

// Damaged entries are left out; the session's count of samples tells that they were there.
Status write_pack(const v1::Session& session, const DatabaseReader& database, const PackWriter& write);

// Reads an untrusted file: kInvalid when it is none, kCorrupt when it is damaged, cut off, or larger uncompressed than
// an honest one can be. `on_entry` sees entries with a valid key and checksum; they count only when all of it succeeds.
Result<v1::Session> read_pack(const PackSource& source,
                              const std::function<Status(std::string_view key, std::string_view value)>& on_entry);

}  // namespace pycroscope
