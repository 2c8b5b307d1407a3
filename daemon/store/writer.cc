#include "daemon/store/writer.h"

#include <fmt/format.h>

#include <chrono>
#include <unordered_set>

#include "analysis/model/loss.h"
#include "daemon/store/block_codec.h"
#include "daemon/store/keys.h"
#include "daemon/store/symbol_codec.h"
#include "daemon/store/zstd_codec.h"

namespace pycroscope {
namespace {

using Clock = std::chrono::steady_clock;

// A block is cut when it is full, when it is worth it and old enough, or when it is very old: a short block wastes
// bytes, a long open one is encoded again with each sync.
constexpr uint32_t kWorthwhileSamples = 8192;
constexpr auto kWorthwhileAge = std::chrono::seconds(10);
constexpr auto kMaxAge = std::chrono::seconds(120);
// Somewhat less than the interval of the recorder's syncs.
constexpr auto kDurableInterval = std::chrono::milliseconds(900);
constexpr int kSourceLevel = 6;

class Writer : public SessionWriter {
 public:
  Writer(v1::Session session, SessionDir directory, std::unique_ptr<DatabaseWriter> database, const StoreUser& owner)
      : session_(std::move(session)), directory_(std::move(directory)), database_(std::move(database)), owner_(owner) {}

  Symbols& symbols() override { return symbols_; }
  v1::Session& session() override {
    refresh_session(loss_);
    return session_;
  }
  void set_duration(int64_t duration_ns) override { duration_ns_ = duration_ns; }

  void add(const Sample& sample) override {
    if (open_.size() == 0) opened_at_ = Clock::now();
    open_.push_back(sample);
    loss_.set_recorded(loss_.recorded() + 1);
    if (sample.truncated) loss_.set_truncated(loss_.truncated() + 1);
    if (open_.size() == kMaxBlockSamples) static_cast<void>(cut_block(false));  // a failure is counted as loss
  }

  void add_loss(v1::LossReason reason, uint64_t count) override { pycroscope::add_loss(loss_, reason, count); }

  Result<std::string> add_source(FileId file, std::string_view content) override {
    if (content.size() > kMaxSourceBytes)
      return fail(ErrorCode::kInvalid, fmt::format("source file {} is too large to be kept with the session",
                                                   symbols_.string(symbols_.file(file).path)));
    std::string hash = sha256(content);
    std::vector<KeyValue> entries;
    if (!contents_.contains(hash)) entries.push_back(sealed(content_key(hash), zstd_compress(content, kSourceLevel)));
    entries.push_back(sealed(numbered_key(KeyKind::kFileSource, index(file)), hash));
    PYC_CHECK(database_->write(entries, false));
    contents_.insert(hash);
    return hash;
  }

  Status sync() override {
    // What the kernel has survives a kill of this process; the disk is waited for at most once a second.
    const bool durable = Clock::now() - durable_at_ >= kDurableInterval;
    if (durable) durable_at_ = Clock::now();
    Status stored = open_is_due() ? cut_block(durable) : write_block(Effort::kQuick, durable);
    session_.set_bytes(directory_.bytes());
    Status described = directory_.write_meta(stored_session(), false);
    return stored ? described : stored;
  }

  Status finish(v1::SessionState state) override {
    Status stored = cut_block(true);
    if (stored) stored = database_->close();
    database_.reset();
    directory_.drop_reserve();
    session_.set_state(state);
    session_.set_bytes(directory_.bytes());
    Status described = directory_.write_meta(stored_session(), true);
    Status given = directory_.give_database(owner_.uid, owner_.gid);
    directory_.unlock();
    if (stored) stored = described;
    return stored ? given : stored;
  }

 private:
  static KeyValue sealed(std::string key, std::string_view value) {
    std::string stored = seal(key, value);
    return {std::move(key), std::move(stored)};
  }

  bool open_is_due() const {
    if (open_.size() == 0) return false;
    auto age = Clock::now() - opened_at_;
    return age >= kMaxAge || (age >= kWorthwhileAge && open_.size() >= kWorthwhileSamples);
  }

  // Stores the open block and the symbols that it may need. On failure the database is as before.
  Status write_block(Effort effort, bool sync) {
    std::vector<KeyValue> entries;
    std::optional<std::string> delta = symbols_written_.delta(symbols_);
    if (delta) entries.push_back(sealed(numbered_key(KeyKind::kSymbols, next_delta_), *delta));
    if (open_.size() > stored_samples_ || effort == Effort::kThorough) {
      entries.push_back(sealed(numbered_key(KeyKind::kSummary, next_block_), encode_summary(summarize(open_))));
      entries.push_back(sealed(numbered_key(KeyKind::kBlock, next_block_), encode_block(open_, effort)));
    }
    PYC_CHECK(database_->write(entries, sync));
    stored_samples_ = open_.size();
    if (delta) {
      symbols_written_.advance(symbols_);
      ++next_delta_;
    }
    return {};
  }

  // Ends the open block. What of it could not be stored is lost; an older version of it, stored by a sync, stays.
  Status cut_block(bool sync) {
    if (open_.size() == 0) return write_block(Effort::kQuick, sync);
    Status stored = write_block(Effort::kThorough, sync);
    if (!stored) drop_unstored();
    if (stored_samples_ > 0) ++next_block_;
    open_.clear();
    stored_samples_ = 0;
    return stored;
  }

  void drop_unstored() {
    uint64_t lost = open_.size() - stored_samples_;
    subtract_unstored(loss_);
    pycroscope::add_loss(loss_, v1::LOSS_REASON_DISK_FULL, lost);
  }

  void subtract_unstored(v1::Loss& loss) const {
    loss.set_recorded(loss.recorded() - (open_.size() - stored_samples_));
    for (size_t i = stored_samples_; i < open_.size(); ++i) loss.set_truncated(loss.truncated() - open_.truncated[i]);
  }

  void refresh_session(const v1::Loss& loss) {
    session_.set_events(loss.recorded());
    session_.set_samples(loss.recorded());
    session_.set_duration_ns(duration_ns_);
    *session_.mutable_loss() = loss;
  }

  // As it is on the disk: without samples that a full disk keeps in memory.
  const v1::Session& stored_session() {
    v1::Loss stored = loss_;
    subtract_unstored(stored);
    refresh_session(stored);
    return session_;
  }

  v1::Session session_;
  v1::Loss loss_;
  int64_t duration_ns_ = 0;
  SessionDir directory_;  // outlives the database, whose path goes through it
  std::unique_ptr<DatabaseWriter> database_;
  StoreUser owner_;

  Symbols symbols_;
  SymbolsWritten symbols_written_;
  uint32_t next_delta_ = 0;
  std::unordered_set<std::string> contents_;

  SampleColumns open_;         // block `next_block_`
  size_t stored_samples_ = 0;  // of open_, by the last sync that worked
  uint32_t next_block_ = 0;
  Clock::time_point opened_at_;
  Clock::time_point durable_at_ = Clock::now();
};

}  // namespace

std::unique_ptr<SessionWriter> make_writer(v1::Session session, SessionDir directory,
                                           std::unique_ptr<DatabaseWriter> database, const StoreUser& owner) {
  return std::make_unique<Writer>(std::move(session), std::move(directory), std::move(database), owner);
}

}  // namespace pycroscope
