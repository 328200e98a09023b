// A few measurements of the same thing as one number and its spread.
#pragma once

#include <vector>

namespace plm::bench {

struct Summary {
  double mean = 0, deviation = 0, median = 0, least = 0, most = 0;
};
Summary summarise(std::vector<double> values);

}  // namespace plm::bench
