#include "convert/generation_config.h"

#include <array>
#include <charconv>
#include <cmath>

namespace plm::convert {
namespace {

struct Setting {
  std::string_view field;
  std::string_view key;
  bool is_integer = false;
};

constexpr std::array kSettings = {
    Setting{"top_k", "general.sampling.top_k", true},
    Setting{"top_p", "general.sampling.top_p"},
    Setting{"min_p", "general.sampling.min_p"},
    Setting{"temperature", "general.sampling.temp"},
    Setting{"repetition_penalty", "general.sampling.penalty_repeat"},
};

}  // namespace

Status write_sampling_keys(const JsonFields& generation, gguf::MetadataBuilder& keys) {
  for (const Setting& setting : kSettings) {
    const Json* value = generation.find(setting.field);
    if (value == nullptr) continue;
    if (setting.is_integer) {
      const auto count = to_count(*value);
      if (!count || *count > INT32_MAX)
        return generation.wrong(setting.field, *value, "an integer from 0 on");
      keys.set_i32(setting.key, static_cast<int32_t>(*count));
      continue;
    }
    const double number = value->is_number() ? value->get<double>() : -1;
    if (!(number >= 0) || !std::isfinite(static_cast<float>(number))) {
      return generation.wrong(setting.field, *value, "a number from 0 on");
    }
    keys.set_f32(setting.key, static_cast<float>(number));
  }
  return {};
}

Status write_sampling_fields(const gguf::File& file, JsonOut& generation) {
  bool samples = false;
  for (const Setting& setting : kSettings) {
    if (file.find(setting.key) == nullptr) continue;
    samples = true;
    if (setting.is_integer) {
      PLM_TRY(generation[std::string(setting.field)], file.get_uint(setting.key));
    } else {
      PLM_TRY(const double number, file.get_float(setting.key));
      generation[std::string(setting.field)] = shortest_decimal(number);
    }
  }
  // transformers ignores the settings above, with a warning, unless it is told to sample.
  if (samples) generation["do_sample"] = true;
  return {};
}

}  // namespace plm::convert
