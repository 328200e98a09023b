#include "convert/peft_config.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace plm::convert {
namespace {

// A field that may only be absent, null or hold nothing.
Status expect_empty(const JsonFields& fields, std::string_view key) {
  const Json* found = fields.find(key);
  if (found == nullptr || (found->is_structured() && found->empty())) return {};
  return fields.wrong(key, *found, "none");
}

// Some ways of initialising subtract from the base model what the adapter starts from.
Status check_start(const JsonFields& fields) {
  constexpr std::string_view kKey = "init_lora_weights";
  constexpr std::array<std::string_view, 3> kLeavesBase = {"gaussian", "eva", "orthogonal"};
  const Json* found = fields.find(kKey);
  if (found == nullptr || found->is_boolean()) return {};
  if (found->is_string() && std::find(kLeavesBase.begin(), kLeavesBase.end(),
                                      found->get_ref<const std::string&>()) != kLeavesBase.end()) {
    return {};
  }
  return fields.wrong(kKey, *found, "true, false, \"gaussian\", \"eva\" or \"orthogonal\"");
}

}  // namespace

float PeftConfig::scale() const {
  const auto r = static_cast<double>(rank);
  return static_cast<float>(alpha / (is_rank_stabilised ? std::sqrt(r) : r));
}

Result<PeftConfig> read_peft_config(const JsonFields& fields) {
  PLM_TRY_STATUS(fields.expect_string("peft_type", "LORA"));
  PLM_TRY_STATUS(fields.expect_string("bias", "none"));
  for (const std::string_view key : {"use_dora", "fan_in_fan_out", "lora_bias", "use_qalora", "use_bdlora"}) {
    PLM_TRY_STATUS(fields.expect_boolean(key, false));
  }
  for (const std::string_view key :
       {"modules_to_save", "rank_pattern", "alpha_pattern", "target_parameters", "layer_replication",
        "trainable_token_indices", "alora_invocation_tokens"}) {
    PLM_TRY_STATUS(expect_empty(fields, key));
  }
  PLM_TRY_STATUS(check_start(fields));
  PeftConfig config;
  PLM_TRY(config.rank, fields.size("r"));
  PLM_TRY(config.alpha, fields.positive("lora_alpha"));
  PLM_TRY(config.is_rank_stabilised, fields.boolean_or("use_rslora", false));
  return config;
}

}  // namespace plm::convert
