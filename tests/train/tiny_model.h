// What tests of the trainer share: the golden model of the reference data, and a small one made up here.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/npz.h"
#include "train/core/device.h"
#include "train/core/model.h"
#include "train/core/weights_file.h"
#include "train/setup/model_config.h"

namespace plm::train::test {

// ATen's generator begins at a seed of chance; a test draws the same numbers in every run.
class SeedOfEachTest : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& /*test*/) override { at::manual_seed(1); }
};
inline const bool seed_is_set = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new SeedOfEachTest);  // which owns it
  return true;
}();

inline std::string oracle_folder() { return PLM_SOURCE_DIR "/../shared/oracles"; }
inline bool have_oracles() { return std::filesystem::exists(oracle_folder() + "/config.json"); }

inline at::Tensor to_tensor(const plm::test::NpyArray& array) {
  const auto numbers = array.as<int64_t>();
  return at::tensor(numbers, at::kLong).view(array.shape);
}

// ids [B, T+1] to inputs and labels [B, T].
inline ModelInput next_token_input(const at::Tensor& ids) {
  const int64_t T = ids.size(1) - 1;
  return {.ids_BT = ids.narrow(1, 0, T).contiguous(),
          .labels_BT = ids.narrow(1, 1, T).contiguous(),
          .documents_BT = {}};
}

inline ModelConfig small_config() {
  ModelConfig c;
  c.vocabulary = 96;
  c.width = 32;
  c.n_layers = 2;
  c.n_heads = 2;
  c.latent_width = 24;
  c.no_rope_width = 12;
  c.rope_width = 8;
  c.value_width = 16;
  c.ffn_width = 64;
  c.context_length = 64;
  c.rope_theta = 10000;
  c.norm_eps = 1e-6;
  return c;
}

inline at::Tensor read_weights(const std::string& path, const ParameterLayout& layout) {
  at::Tensor flat = at::zeros({layout.count}, at::kFloat);
  const auto file = safetensors::File::open(path);
  if (!file || !read_parameters(*file, "", layout, flat).ok()) throw std::runtime_error(path);
  return flat;
}

inline double relative_error(const at::Tensor& any_found, const at::Tensor& any_expected) {
  const at::Tensor found = any_found.to(at::kCPU, at::kDouble);
  const at::Tensor expected = any_expected.to(at::kCPU, at::kDouble);
  const double size = expected.norm().item<double>();
  return (found - expected).norm().item<double>() / (size == 0 ? 1 : size);
}

// What tests run on: the CPU, and a GPU where torch sees one.
inline std::vector<at::Device> devices() {
  std::vector<at::Device> all{at::kCPU};
  if (const auto gpu = choose_device("auto", {}); gpu && gpu->is_cuda()) all.push_back(*gpu);
  return all;
}

}  // namespace plm::train::test
