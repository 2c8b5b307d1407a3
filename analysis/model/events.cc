#include "analysis/model/events.h"

namespace pycroscope {

void SampleColumns::push_back(const Sample& s) {
  time_ns.push_back(s.time_ns);
  thread.push_back(index(s.thread));
  stack.push_back(index(s.stack));
  label_set.push_back(index(s.labels));
  weight_ns.push_back(s.weight_ns);
  truncated.push_back(s.truncated);
}

Sample SampleColumns::at(size_t i) const {
  return {time_ns[i],   ThreadId{thread[i]}, StackId{stack[i]}, LabelSetId{label_set[i]},
          weight_ns[i], truncated[i] != 0};
}

void SampleColumns::clear() {
  time_ns.clear();
  thread.clear();
  stack.clear();
  label_set.clear();
  weight_ns.clear();
  truncated.clear();
}

}  // namespace pycroscope
