// The flame graph as one file that a browser opens.
#include "analysis/export/assets.h"
#include "analysis/export/export.h"
#include "analysis/export/flame_graph.h"

namespace pycroscope {

Status export_svg(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), ""));
  Pieces out(output);
  out.add("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  PYC_CHECK(write_flame_graph(context, weight, out, fmt::format("<style><![CDATA[\n{}]]></style>\n", kFlameGraphStyle),
                              fmt::format("<script><![CDATA[\n{}]]></script>\n", kFlameGraphScript)));
  return out.finish();
}

}  // namespace pycroscope
