// Raw samples page by page.
#pragma once

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

inline constexpr uint32_t kDefaultPage = 10'000;
inline constexpr uint32_t kMaxPage = 100'000;

// One page of the samples that the request's filter lets through, in the order of recording. A cursor says in which
// block the next page begins, and where: it stays right while the session grows, and no block before it is read. It is
// good for the filter that it was given out with. kInvalid for a cursor or filter that makes no sense.
Result<v1::EventPage> event_page(const EventReader& reader, const v1::ListEventsRequest& request);

}  // namespace pycroscope
