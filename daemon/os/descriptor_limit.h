// How many descriptors this process may have open.
#pragma once

namespace pycroscope {

// As many as it may without more rights: a target of thousands of threads needs one or more for each. Where that fails,
// whoever opens too many learns it.
void raise_descriptor_limit();

}  // namespace pycroscope
