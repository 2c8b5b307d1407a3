// Errors are values: every function that can fail returns Result<T>, and nothing of ours throws.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace pycroscope {

// What a failure means to the caller. The exit codes of the command line are derived from it (client/cli).
enum class ErrorCode {
  kFailed,      // anything else: not Python, unsupported, a kernel thread, ...
  kInvalid,     // the request itself is wrong
  kTargetGone,  // the process does not exist (any more)
  kNotPermitted,
  kNotFound,     // no such session, source, ...
  kCorrupt,      // stored data is damaged
  kNoSpace,      // a full disk or an exhausted quota
  kUnavailable,  // nothing answers at the socket
  kMemory,       // a read of target memory failed; never shown as it is
};

struct Error {
  ErrorCode code = ErrorCode::kFailed;
  std::string message;  // one sentence a user can act on, without a final full stop
};

template <class T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace pycroscope

#define PYC_CONCAT_(a, b) a##b
#define PYC_CONCAT(a, b) PYC_CONCAT_(a, b)
#define PYC_TRY_(tmp, decl, expr)                   \
  auto tmp = (expr);                                \
  if (!tmp) [[unlikely]]                            \
    return std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)

// PYC_TRY(auto x, f()): x is f()'s value, or the function returns f()'s error.
#define PYC_TRY(decl, expr) PYC_TRY_(PYC_CONCAT(pyc_try_, __LINE__), decl, expr)
// PYC_CHECK(f()): returns f()'s error, if any.
#define PYC_CHECK(expr)                                   \
  if (auto pyc_status = (expr); !pyc_status) [[unlikely]] \
  return std::unexpected(std::move(pyc_status).error())
