#include "model/config.h"

#include "model/config_keys.h"

namespace plm::model {

Result<Config> read_latent_config(const gguf::File& file, std::string_view architecture) {
  const ConfigKeys keys(file, architecture);
  PLM_TRY(Config c, read_common_config(keys, architecture));
  PLM_TRY(c.kv_lora_rank, keys.size("attention.kv_lora_rank"));
  PLM_TRY(c.rope_width, keys.size("rope.dimension_count"));
  PLM_TRY(c.value_width, keys.size("attention.value_length"));
  PLM_TRY(const int64_t key_width, keys.size("attention.key_length"));
  PLM_TRY(c.rope_base, keys.positive("rope.freq_base"));
  if (c.rope_width >= key_width || c.rope_width % 2 != 0) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected an even number below {} ({})",
                      file.path(), keys.name("rope.dimension_count"), c.rope_width, key_width,
                      keys.name("attention.key_length"));
  }
  c.nope_width = key_width - c.rope_width;
  return c;
}

}  // namespace plm::model
