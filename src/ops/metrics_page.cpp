#include "ops/metrics_page.h"

#include <iterator>

#include <prometheus/text_serializer.h>

namespace inventory::ops {

HttpResponse metrics_page(const std::vector<std::shared_ptr<prometheus::Collectable>>& sources) {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& source : sources) {
    auto more = source->Collect();
    families.insert(families.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  }
  return {.body = prometheus::TextSerializer().Serialize(families),
          .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

}  // namespace inventory::ops
