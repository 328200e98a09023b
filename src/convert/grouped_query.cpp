#include "convert/grouped_query.h"

namespace plm::convert {
namespace {

// "rope_parameters" of transformers 5 holds the base too, and "default" means none.
Status read_rope_scaling(const JsonFields& fields, bool may_scale, ModelConfig& c) {
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    if (fields.find(key) == nullptr) continue;
    PLM_TRY(const JsonFields scaling, fields.object(key));
    PLM_TRY(const std::string old_name, scaling.string_or("type", "default"));
    PLM_TRY(const std::string type, scaling.string_or("rope_type", old_name));
    if (type == "default") continue;
    if (type != "llama3" || !may_scale) {
      return make_error(ErrorKind::unsupported, "{}: field rope_type: found \"{}\", expected {}",
                        scaling.path(), shown(type), may_scale ? "default or llama3" : "default");
    }
    RopeScaling rope;
    PLM_TRY(rope.factor, scaling.positive_or("factor", rope.factor));
    PLM_TRY(rope.low_frequency_factor, scaling.positive_or("low_freq_factor", rope.low_frequency_factor));
    PLM_TRY(rope.high_frequency_factor, scaling.positive_or("high_freq_factor", rope.high_frequency_factor));
    PLM_TRY(rope.original_context,
            scaling.size_or("original_max_position_embeddings", rope.original_context));
    if (rope.high_frequency_factor <= rope.low_frequency_factor) {
      return make_error(ErrorKind::bad_data,
                        "{}: field high_freq_factor: found {}, expected more than low_freq_factor",
                        scaling.path(), rope.high_frequency_factor);
    }
    c.rope_scaling = rope;
  }
  return {};
}

Status check_heads(const std::string& path, const ModelConfig& c) {
  if (c.n_heads % c.n_kv_heads == 0 && c.key_width % 2 == 0) return {};
  return make_error(ErrorKind::bad_data,
                    "{}: found {} heads of {} numbers with {} of keys, expected an even width and a divisor",
                    path, c.n_heads, c.key_width, c.n_kv_heads);
}

}  // namespace

Status read_grouped_query_fields(const JsonFields& fields, const GroupedQueryHabits& habits, ModelConfig& c) {
  PLM_TRY_STATUS(fields.expect_string("hidden_act", "silu"));
  PLM_TRY_STATUS(fields.expect_boolean("use_sliding_window", false));
  PLM_TRY_STATUS(read_rope_scaling(fields, habits.may_scale_rope, c));
  PLM_TRY(c.is_tied, fields.boolean_or("tie_word_embeddings", habits.ties_by_default));
  c.states_head_width = fields.find("head_dim") != nullptr;
  PLM_TRY(c.key_width, fields.size_or("head_dim", std::max<int64_t>(1, c.width / c.n_heads)));
  c.value_width = c.key_width;
  return check_heads(fields.path(), c);
}

Status read_grouped_query_keys(const gguf::File& file, std::string_view architecture, ModelConfig& c) {
  c.states_head_width = c.key_width != 0;
  if (c.key_width == 0) c.key_width = std::max<int64_t>(1, c.width / c.n_heads);
  if (c.value_width == 0) c.value_width = c.key_width;
  if (c.value_width != c.key_width || (c.rope_width != 0 && c.rope_width != c.key_width)) {
    return make_error(
        ErrorKind::unsupported,
        "{}: keys {}.attention.value_length, rope.dimension_count: found {}, {}, expected the {} of "
        "keys: config.json has one head_dim",
        file.path(), architecture, c.value_width, c.rope_width, c.key_width);
  }
  PLM_TRY(const std::string_view scaling,
          file.get_string_or(fmt::format("{}.rope.scaling.type", architecture), "none"));
  if (scaling != "none") {
    return make_error(ErrorKind::unsupported, "{}: key {}.rope.scaling.type: found \"{}\", expected none",
                      file.path(), architecture, gguf::printable(scaling));
  }
  return check_heads(file.path(), c);
}

void write_grouped_query_fields(const ModelConfig& c, JsonOut& fields) {
  if (c.states_head_width) fields["head_dim"] = c.key_width;
  fields["hidden_act"] = "silu";
  fields["rope_scaling"] = nullptr;
}

}  // namespace plm::convert
