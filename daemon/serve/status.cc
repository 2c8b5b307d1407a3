#include "daemon/serve/status.h"

#include <string>

#include "pycroscope/v1/service.pb.h"

namespace pycroscope {
namespace {

grpc::StatusCode grpc_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kTargetGone:
    case ErrorCode::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::kNotPermitted:
      return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorCode::kCorrupt:
      return grpc::StatusCode::DATA_LOSS;
    case ErrorCode::kNoSpace:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::kFailed:
    case ErrorCode::kMemory:
      break;
  }
  return grpc::StatusCode::FAILED_PRECONDITION;
}

ErrorCode error_code(grpc::StatusCode code, int exit) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
      return ErrorCode::kInvalid;
    case grpc::StatusCode::NOT_FOUND:
      return exit == exit_code(ErrorCode::kTargetGone) ? ErrorCode::kTargetGone : ErrorCode::kNotFound;
    case grpc::StatusCode::PERMISSION_DENIED:
      return ErrorCode::kNotPermitted;
    case grpc::StatusCode::DATA_LOSS:
      return ErrorCode::kCorrupt;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return ErrorCode::kNoSpace;
    case grpc::StatusCode::UNAVAILABLE:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kFailed;
  }
}

// What gRPC itself says is not written for users.
Error transport_error(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {ErrorCode::kUnavailable,
              "the service does not answer: check that `pycroscoped serve` is running and that it has not too many "
              "connections from you"};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {ErrorCode::kFailed,
              "the service does not know this request: client and service are of different versions, restart the "
              "service"};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return {ErrorCode::kFailed,
              "the service is too busy, or the request is too large: try again with fewer at once (" +
                  status.error_message() + ")"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {
          ErrorCode::kUnavailable,
          "the service did not answer in time: it is overloaded or hangs, `systemctl restart pycroscoped` ends that"};
    case grpc::StatusCode::CANCELLED:
      return {ErrorCode::kFailed, "the request was cancelled"};
    default:
      return {ErrorCode::kFailed, "the service failed to answer: " + status.error_message()};
  }
}

// A sentence may repeat what it was asked for, and travels in a header, whose size is limited.
std::string cut_middle(const std::string& sentence) {
  constexpr size_t kHalf = 500;
  if (sentence.size() <= 2 * kHalf) return sentence;
  const auto is_inside_character = [&](size_t at) { return (static_cast<uint8_t>(sentence[at]) & 0xC0) == 0x80; };
  size_t head = kHalf, tail = sentence.size() - kHalf;
  while (head > 0 && is_inside_character(head)) --head;
  while (tail < sentence.size() && is_inside_character(tail)) ++tail;
  return sentence.substr(0, head) + "…" + sentence.substr(tail);
}

}  // namespace

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return 2;
    case ErrorCode::kTargetGone:
      return 3;
    case ErrorCode::kNotPermitted:
      return 4;
    case ErrorCode::kUnavailable:
      return 5;
    case ErrorCode::kFailed:
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
    case ErrorCode::kNoSpace:
    case ErrorCode::kMemory:
      break;
  }
  return 1;
}

grpc::Status to_grpc(const Error& error, grpc::ServerContextBase& context) {
  v1::ErrorDetail detail;
  detail.set_exit_code(exit_code(error.code));
  context.AddTrailingMetadata(kErrorTrailer, detail.SerializeAsString());
  return {grpc_code(error.code), cut_middle(error.message)};
}

Error from_grpc(const grpc::Status& status, const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto trailer = trailers.find(kErrorTrailer);
  if (trailer == trailers.end()) return transport_error(status);
  v1::ErrorDetail detail;
  if (!detail.ParseFromArray(trailer->second.data(), static_cast<int>(trailer->second.size()))) {
    return transport_error(status);
  }
  return {error_code(status.error_code(), detail.exit_code()), status.error_message()};
}

}  // namespace pycroscope
