#include "daemon/store/zstd_codec.h"

#include <zstd.h>

#include <memory>

namespace pycroscope {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

std::string zstd_compress(std::string_view bytes, int level) {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), level);
  out.resize(size);  // cannot fail: the buffer has the bound's size
  return out;
}

std::optional<std::string> zstd_decompress(std::string_view frame, size_t size) {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  std::string out(size, '\0');
  size_t got = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(got) != 0 || got != size) return std::nullopt;
  return out;
}

std::optional<std::string> zstd_decompress_limited(std::string_view frame, size_t limit) {
  unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size > limit) return std::nullopt;  // also what is said for "unknown" and "error"
  return zstd_decompress(frame, size);
}

}  // namespace pycroscope
