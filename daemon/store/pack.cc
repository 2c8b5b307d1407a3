#include "daemon/store/pack.h"

#include <zstd.h>

#include <memory>

#include "daemon/store/bytes.h"
#include "daemon/store/keys.h"
#include "daemon/store/pack_format.h"

namespace pycroscope {
namespace {

constexpr int kZstdLevel = 6;
constexpr size_t kChunk = size_t{256} << 10;

// Compresses what it is given into `write`, and hashes it.
class PackStream {
 public:
  explicit PackStream(const PackWriter& write) : write_(write), context_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  }

  Status put(std::string_view bytes) {
    hash_.update(bytes);
    return compress(bytes, ZSTD_e_continue);
  }

  Status end() {
    std::string last(1, pack_format::kEnd);
    last += hash_.finish();
    return compress(last, ZSTD_e_end);
  }

 private:
  Status compress(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    size_t left = 0;
    do {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      left = ZSTD_compressStream2(context_.get(), &out, &in, directive);
      if (ZSTD_isError(left) != 0) return fail(ErrorCode::kFailed, "cannot compress the session");
      if (out.pos > 0) PYC_CHECK(write_(std::string_view(buffer_).substr(0, out.pos)));
    } while (in.pos < in.size || (directive == ZSTD_e_end && left > 0));
    return {};
  }

  struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  const PackWriter& write_;
  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  Sha256 hash_;
  std::string buffer_ = std::string(kChunk, '\0');
};

}  // namespace

Status write_pack(const v1::Session& session, const DatabaseReader& database, const PackWriter& write) {
  PYC_CHECK(write(pack_format::kMagic));
  PackStream stream(write);
  std::string description = session.SerializeAsString();
  ByteWriter first;
  first.byte(pack_format::kSession);
  first.varint(description.size());
  first.bytes(description);
  PYC_CHECK(stream.put(first.view()));

  for (KeyKind kind : kAllKeyKinds) {
    Status written;
    static_cast<void>(database.scan(key_prefix(kind), [&](std::string_view key, std::string_view value) {
      if (!is_valid_key(key) || !unseal(key, value)) return true;
      ByteWriter entry;
      entry.byte(pack_format::kEntry);
      entry.varint(key.size());
      entry.varint(value.size());
      entry.bytes(key);
      entry.bytes(value);
      written = stream.put(entry.view());
      return written.has_value();
    }));  // an unreadable part is left out like a damaged entry
    PYC_CHECK(written);
  }
  return stream.end();
}

}  // namespace pycroscope
