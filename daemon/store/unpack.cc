#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "daemon/store/bytes.h"
#include "daemon/store/keys.h"
#include "daemon/store/pack.h"
#include "daemon/store/pack_format.h"
#include "daemon/store/session_id.h"

namespace pycroscope {
namespace {

constexpr int kMaxWindowLog = 27;  // what a frame may make us allocate: 128 MiB
constexpr uint64_t kMaxSessionBytes = 16 << 20;
constexpr uint64_t kMaxValueBytes = uint64_t{256} << 20;
// Values are compressed already, so an honest file hardly shrinks: one that grows more than this is a bomb.
constexpr uint64_t kMaxRatio = 16;
constexpr uint64_t kAlwaysAllowedBytes = uint64_t{64} << 20;

Error damaged() { return {ErrorCode::kCorrupt, "the packed session is damaged or cut off: get the file again"}; }

// The uncompressed bytes of a packed file, hashed as they are taken.
class UnpackStream {
 public:
  explicit UnpackStream(const PackSource& source) : source_(source), context_(ZSTD_createDCtx()) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }

  Status check_magic() {
    while (input_.size() < pack_format::kMagic.size()) {
      PYC_TRY(std::string more, source_());
      if (more.empty()) break;
      input_ += more;
    }
    std::string_view have = std::string_view(input_).substr(0, pack_format::kMagic.size());
    if (have.substr(0, pack_format::kMagicWithoutVersion) !=
        pack_format::kMagic.substr(0, pack_format::kMagicWithoutVersion))
      return fail(ErrorCode::kCorrupt, "this is not a packed session: give a file made by `pycroscoped sessions pack`");
    if (have.size() < pack_format::kMagic.size()) return std::unexpected(damaged());
    if (have != pack_format::kMagic)
      return fail(ErrorCode::kFailed, "this packed session was written by a newer Pycroscope: update it");
    input_position_ = pack_format::kMagic.size();
    total_in_ = input_.size();
    return {};
  }

  // Exactly `size` bytes. They are part of the hash unless `hashed` is false.
  Result<std::string> take(uint64_t size, bool hashed = true) {
    while (ready_.size() - ready_position_ < size) PYC_CHECK(fill());
    std::string taken = ready_.substr(ready_position_, size);
    ready_position_ += size;
    if (hashed) hash_.update(taken);
    return taken;
  }

  void add_to_hash(std::string_view bytes) { hash_.update(bytes); }

  Result<uint64_t> take_varint() {
    std::string bytes;
    do {
      PYC_TRY(std::string next, take(1));
      bytes += next;
    } while ((static_cast<uint8_t>(bytes.back()) & 0x80) != 0 && bytes.size() < 10);
    ByteReader in(bytes);
    uint64_t value = in.varint();
    if (!in.finished()) return std::unexpected(damaged());
    return value;
  }

  std::string hash() { return hash_.finish(); }

  // Nothing may follow the last record, in the frame or behind it.
  Status check_end() {
    while (!frame_ended_) {
      PYC_CHECK(fill());
      if (ready_position_ < ready_.size()) return std::unexpected(damaged());
    }
    PYC_TRY(std::string more, source_());
    bool finished = ready_position_ == ready_.size() && input_position_ == input_.size() && more.empty();
    return finished ? Status() : std::unexpected(damaged());
  }

 private:
  // Decompresses some more.
  Status fill() {
    if (frame_ended_) return std::unexpected(damaged());
    ready_.erase(0, ready_position_);
    ready_position_ = 0;
    if (input_position_ == input_.size() && !output_pending_) {
      PYC_TRY(input_, source_());
      input_position_ = 0;
      total_in_ += input_.size();
      if (input_.empty()) return std::unexpected(damaged());
    }
    ZSTD_inBuffer in{input_.data(), input_.size(), input_position_};
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(left) != 0) return std::unexpected(damaged());
    input_position_ = in.pos;
    output_pending_ = out.pos == out.size;
    frame_ended_ = left == 0;
    ready_.append(buffer_, 0, out.pos);
    total_out_ += out.pos;
    if (total_out_ > kAlwaysAllowedBytes && total_out_ / kMaxRatio > total_in_)
      return fail(ErrorCode::kCorrupt,
                  "the packed session grows without end when unpacked: it was not made by Pycroscope");
    return {};
  }

  struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  const PackSource& source_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  Sha256 hash_;
  std::string input_, ready_;  // compressed, decompressed; what is not consumed starts at the positions
  size_t input_position_ = 0, ready_position_ = 0;
  std::string buffer_ = std::string(ZSTD_DStreamOutSize(), '\0');
  bool output_pending_ = false, frame_ended_ = false;
  uint64_t total_in_ = 0, total_out_ = 0;
};

Result<v1::Session> read_session(UnpackStream& stream) {
  PYC_TRY(std::string kind, stream.take(1));
  PYC_TRY(uint64_t size, stream.take_varint());
  if (kind[0] != pack_format::kSession || size > kMaxSessionBytes) return std::unexpected(damaged());
  PYC_TRY(std::string bytes, stream.take(size));
  v1::Session session;
  if (!session.ParseFromString(bytes)) return std::unexpected(damaged());
  if (session.format_version() > kFormatVersion)
    return fail(ErrorCode::kFailed,
                fmt::format("the packed session was written by a newer Pycroscope (format {}): update it",
                            session.format_version()));
  if (!is_session_id(session.id()) || !check_session_name(session.name())) return std::unexpected(damaged());
  return session;
}

}  // namespace

Result<v1::Session> read_pack(const PackSource& source,
                              const std::function<Status(std::string_view, std::string_view)>& on_entry) {
  UnpackStream stream(source);
  PYC_CHECK(stream.check_magic());
  PYC_TRY(v1::Session session, read_session(stream));
  while (true) {
    PYC_TRY(std::string kind, stream.take(1, false));
    if (kind[0] == pack_format::kEnd) break;
    stream.add_to_hash(kind);
    if (kind[0] != pack_format::kEntry) return std::unexpected(damaged());
    PYC_TRY(uint64_t key_size, stream.take_varint());
    PYC_TRY(uint64_t value_size, stream.take_varint());
    if (key_size > 1 + kHashSize || value_size > kMaxValueBytes) return std::unexpected(damaged());
    PYC_TRY(std::string key, stream.take(key_size));
    PYC_TRY(std::string value, stream.take(value_size));
    if (!is_valid_key(key) || !unseal(key, value)) return std::unexpected(damaged());
    PYC_CHECK(on_entry(key, value));
  }
  std::string expected = stream.hash();
  PYC_TRY(std::string hash, stream.take(kHashSize, false));
  if (hash != expected) return std::unexpected(damaged());
  PYC_CHECK(stream.check_end());
  return session;
}

}  // namespace pycroscope
