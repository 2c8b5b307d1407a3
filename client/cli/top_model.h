// What `top` knows: the last interval's figures and their sums since the start, to be sorted and filtered.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/table.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

enum class TopView { kFunctions, kLines, kThreads };
enum class TopSort { kSelfNow, kTotalNow, kSelf, kTotal };

std::string_view top_sort_name(TopSort sort);  // "self now"
// The next one, around the end; `step` is 1 or -1.
TopSort next_top_sort(TopSort sort, int step);

// One owner thread.
class TopModel {
 public:
  // Counts the interval of `update`, if it has one.
  void add(const v1::RecordingUpdate& update);
  // Forgets the sums.
  void reset();

  const v1::Session& session() const { return session_; }
  uint64_t interval_samples() const { return interval_samples_; }
  int64_t interval_ns() const { return interval_ns_; }

  // Rows whose name or place contains `filter` (letters of either case), the largest first.
  Table table(TopView view, TopSort sort, std::string_view filter) const;

 private:
  struct Figures {
    int64_t self_now_ns = 0, total_now_ns = 0, self_ns = 0, total_ns = 0;
  };
  struct Key {
    std::string name, place;
    auto operator<=>(const Key&) const = default;
  };
  using Rows = std::map<Key, Figures>;

  const Rows& rows(TopView view) const;
  void add_functions(const v1::View& view);
  void add_lines(const v1::View& view);
  void add_threads(const v1::View& view);
  static void count(Rows& rows, Key key, int64_t self_ns, int64_t total_ns);

  v1::Session session_;
  uint64_t interval_samples_ = 0;
  int64_t interval_ns_ = 0, last_duration_ns_ = 0;
  int64_t whole_now_ns_ = 0, whole_ns_ = 0;
  Rows functions_, lines_, threads_;
};

}  // namespace pycroscope
