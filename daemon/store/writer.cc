#include "daemon/store/writer.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <numeric>
#include <span>
#include <unordered_set>
#include <utility>

#include "analysis/model/loss.h"
#include "daemon/store/keys.h"
#include "daemon/store/raw_retention.h"
#include "daemon/store/session_write.h"
#include "daemon/store/symbol_codec.h"
#include "daemon/store/trace_log.h"
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
// So many events of full blocks are worth a write.
constexpr uint64_t kTraceEventsPerWrite = 8 * uint64_t{kMaxTraceBlockEvents};

class Writer : public SessionWriter {
 public:
  Writer(v1::Session session, SessionDir directory, std::unique_ptr<DatabaseWriter> database, const StoreUser& owner)
      : session_(std::move(session)),
        owner_(owner),
        raw_(session_.config()),
        directory_(std::move(directory)),
        database_(std::move(database)) {}

  Symbols& symbols() override { return symbols_; }
  v1::Session& session() override {
    set_counts(session_, loss_, trace_events_);
    session_.set_duration_ns(duration_ns_);
    return session_;
  }
  void set_duration(int64_t duration_ns) override { duration_ns_ = duration_ns; }
  int64_t cpu_ns() const override { return cpu_ns_; }

  void add(const Sample& sample) override {
    if (open_.size() == 0) opened_at_ = Clock::now();
    open_.push_back(sample);
    loss_.set_recorded(loss_.recorded() + 1);
    if (sample.truncated) loss_.set_truncated(loss_.truncated() + 1);
    if (open_.size() < kMaxBlockSamples) return;
    end_write();
    begin_write(true, false);
  }

  void add_trace(const TraceColumns& slice, int64_t to_ns) override {
    if (!trace_) trace_.emplace(symbols_);
    trace_->add(slice, to_ns);
    trace_events_ += slice.size();
    loss_.set_recorded(loss_.recorded() + slice.size());
    if (trace_->full_events() < kTraceEventsPerWrite) return;
    end_write();
    begin_write(false, false);
  }

  void add_loss(v1::LossReason reason, uint64_t count) override { pycroscope::add_loss(loss_, reason, count); }

  Result<std::string> add_source(FileId file, std::string_view content) override {
    if (content.size() > kMaxSourceBytes)
      return fail(ErrorCode::kInvalid, fmt::format("source file {} is too large to be kept with the session",
                                                   symbols_.string(symbols_.file(file).path)));
    std::string hash = sha256(content);
    if (contents_.insert(hash).second) {
      sources_.push_back(sealed_entry(content_key(hash), zstd_compress(content, kSourceLevel)));
      new_contents_.push_back(hash);
    }
    sources_.push_back(sealed_entry(numbered_key(KeyKind::kFileSource, index(file)), hash));
    return hash;
  }

  bool settled() override {
    const bool under_way =
        pending_ && pending_->outcome.wait_for(Clock::duration::zero()) == std::future_status::timeout;
    if (!under_way) end_write();
    return !under_way;
  }

  Status sync_soon() override {
    if (!settled()) return {};
    // What the kernel has survives a kill of this process; the disk is waited for at most once a second.
    const bool durable = Clock::now() - durable_at_ >= kDurableInterval;
    if (durable) durable_at_ = Clock::now();
    begin_write(open_is_due(), durable);
    return std::exchange(last_, {});
  }

  Status sync() override {
    end_write();
    static_cast<void>(sync_soon());  // how those before went
    end_write();
    return std::exchange(last_, {});
  }

  Status finish(v1::SessionState state) override {
    end_write();
    is_finishing_ = true;
    begin_write(true, true);
    end_write();
    Status stored = std::move(last_);
    if (stored) stored = database_->close();
    database_.reset();
    directory_.drop_reserve();
    session().set_state(state);
    session_.set_bytes(directory_.bytes());
    Status described = directory_.write_meta(session_, true);
    Status given = directory_.give_database(owner_.uid, owner_.gid);
    directory_.unlock();
    if (stored) stored = described;
    return stored ? given : stored;
  }

 private:
  struct Unstored {
    uint64_t samples = 0, truncated = 0, trace_events = 0;
    // They are not recorded: samples yet, or, where their block ends, ever.
    void subtract_from(v1::Loss& loss, bool ends_block) const {
      const uint64_t lost = trace_events + (ends_block ? samples : 0);
      loss.set_recorded(loss.recorded() - trace_events - samples);
      loss.set_truncated(loss.truncated() - truncated);
      if (lost > 0) pycroscope::add_loss(loss, v1::LOSS_REASON_DISK_FULL, lost);
    }
  };

  // A write that is under way.
  struct Pending {
    std::future<SessionWritten> outcome = {};
    bool ends_block;
    bool is_block_stored;  // an older version of it, by a write before
    // Afterwards, if it works:
    size_t stored_samples;                       // of the open block
    std::optional<SymbolsWritten> symbols = {};  // nothing: as before
    std::optional<BlockSummary> block = {};      // that ends with it
    std::vector<BucketSummary> buckets = {};     // that are stored with it, of level 0
    RawRetention::Drop drop = {};
    // If it fails:
    Unstored unstored;
    std::vector<std::string> contents;
  };

  bool open_is_due() const {
    if (open_.size() == 0) return false;
    auto age = Clock::now() - opened_at_;
    if (raw_.ends_block(open_.size(), duration_ns_ - open_.time_ns.front())) return true;
    return age >= kMaxAge || (age >= kWorthwhileAge && open_.size() >= kWorthwhileSamples);
  }

  // What of the open block is nowhere but in memory.
  Unstored unstored() const {
    const auto truncated = std::span(open_.truncated).subspan(stored_samples_);
    return {.samples = truncated.size(), .truncated = std::reduce(truncated.begin(), truncated.end(), uint64_t{0})};
  }

  // Begins to store the open block, the symbols that it may need, and the sources. `ends_block`: what of the block
  // cannot be stored is lost, but for an older version of it that is stored already. Nothing may be under way.
  void begin_write(bool ends_block, bool durable) {
    ends_block = ends_block && open_.size() != 0;
    Pending pending{.ends_block = ends_block,
                    .is_block_stored = stored_samples_ > 0,
                    .stored_samples = ends_block ? 0 : open_.size(),
                    .unstored = unstored(),
                    .contents = std::exchange(new_contents_, {})};
    SessionWrite write{.block = next_block_,
                       .effort = ends_block ? Effort::kThorough : Effort::kQuick,
                       .sources = std::exchange(sources_, {}),
                       .durable = durable,
                       .session = session(),
                       .if_stored = loss_,
                       .if_failed = loss_};
    if (trace_) write.trace = is_finishing_ ? trace_->finish() : trace_->take();
    pending.unstored.trace_events = write.trace.events;
    for (const NumberedBucket& bucket : write.trace.buckets)
      if (bucket.level == 0) pending.buckets.push_back(bucket.summary);
    write.trace_events_if_stored = trace_events_;
    write.trace_events_if_failed = trace_events_ - write.trace.events;
    pending.unstored.subtract_from(write.if_failed, ends_block);
    if (auto delta = symbols_written_.delta(symbols_)) {
      write.symbols = sealed_entry(numbered_key(KeyKind::kSymbols, next_delta_), *delta);
      pending.symbols.emplace(symbols_written_).advance(symbols_);
    }
    pending.drop = write.drop = raw_.choose(session_.bytes(), duration_ns_);
    if (ends_block) {
      pending.block = summarize(open_);
      write.samples = std::exchange(open_, {});
      stored_samples_ = 0;
    } else if (pending.unstored.samples != 0) {
      write.samples = open_;
    }
    // Where there can be no thread more, whoever waits for the outcome does the work.
    pending.outcome = std::async(
        std::launch::async | std::launch::deferred,
        [this](SessionWrite&& w) { return write_session(std::move(w), *database_, directory_); }, std::move(write));
    pending_ = std::move(pending);
  }

  // Waits for the write that is under way.
  void end_write() {
    if (!pending_) return;
    Pending ended = *std::exchange(pending_, std::nullopt);
    const SessionWritten written = ended.outcome.get();
    cpu_ns_ += written.cpu_ns;
    session_.set_bytes(written.bytes);
    last_ = written.status();
    if (!written.sources)
      for (const std::string& hash : ended.contents) contents_.erase(hash);
    if (written.dropped && ended.drop.parts > 0) {
      raw_.dropped(ended.drop);
      loss_.set_discarded(loss_.discarded() + ended.drop.samples + ended.drop.trace_events);
      trace_events_ -= ended.drop.trace_events;
    }
    if (written.samples) {
      for (const BucketSummary& bucket : ended.buckets) raw_.stored(bucket);
      if (ended.block) raw_.stored(next_block_, *ended.block);
    }
    if (ended.ends_block && (written.samples || ended.is_block_stored)) ++next_block_;
    if (written.samples) {
      if (!ended.ends_block) stored_samples_ = ended.stored_samples;
      if (ended.symbols) {
        symbols_written_ = *std::move(ended.symbols);
        ++next_delta_;
      }
    } else {
      lose(ended);
    }
  }

  // What of a write that failed no other write will store. Samples of a block that has not ended are written again.
  void lose(Pending& failed) {
    if (!failed.ends_block) failed.unstored.samples = failed.unstored.truncated = 0;
    failed.unstored.subtract_from(loss_, true);
    if (failed.unstored.trace_events == 0) return;
    trace_events_ -= failed.unstored.trace_events;
    trace_->forget_sums();
  }

  v1::Session session_;
  v1::Loss loss_;
  int64_t duration_ns_ = 0;
  int64_t cpu_ns_ = 0;
  StoreUser owner_;

  Symbols symbols_;
  SymbolsWritten symbols_written_;
  uint32_t next_delta_ = 0;
  std::vector<KeyValue> sources_;             // for the next write
  std::vector<std::string> new_contents_;     // among them, hashes
  std::unordered_set<std::string> contents_;  // hashes of all contents so far

  std::optional<TraceLog> trace_;  // from the first event on
  uint64_t trace_events_ = 0;      // recorded and kept
  RawRetention raw_;
  bool is_finishing_ = false;

  SampleColumns open_;         // block `next_block_`, or the one after it while that one is being stored
  size_t stored_samples_ = 0;  // of open_, by the last write that worked
  uint32_t next_block_ = 0;
  Clock::time_point opened_at_;
  Clock::time_point durable_at_ = Clock::now();

  // What a write uses in its thread.
  SessionDir directory_;  // outlives the database, whose path goes through it
  std::unique_ptr<DatabaseWriter> database_;
  Status last_;                     // how the last write went, until somebody is told
  std::optional<Pending> pending_;  // outlived by all that it uses
};

}  // namespace

std::unique_ptr<SessionWriter> make_writer(v1::Session session, SessionDir directory,
                                           std::unique_ptr<DatabaseWriter> database, const StoreUser& owner) {
  return std::make_unique<Writer>(std::move(session), std::move(directory), std::move(database), owner);
}

}  // namespace pycroscope
