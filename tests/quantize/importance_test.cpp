#include "quantize/importance.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "gguf/gguf_writer.h"

namespace plm::quantize {
namespace {

std::string temporary_path(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / ("plm_importance_" + std::to_string(::getpid()) + name))
      .string();
}

Importance small_importance() {
  Importance importance;
  importance.tensors["blk.0.ffn_down.weight"] = {
      .sums = {4, 0, 16, 1},
      .counts = {8},
      .correlations = {.block = 2, .coefficient = {1, 0.5f, 0.5f, 1, 1, -1, -1, 1}}};
  importance.tensors["blk.0.experts.weight"] = {.sums = {2, 4, 7, 9}, .counts = {2, 0}, .correlations = {}};
  importance.datasets = {"a.txt", "b.txt"};
  importance.n_chunks = 2;
  importance.chunk_tokens = 4;
  importance.neuron_order[0] = {2, 0, 3, 1};
  importance.sensitivity["blk.0.ffn_down.weight"] = 0.25f;
  return importance;
}

TEST(Importance, SurvivesItsFile) {
  const std::string path = temporary_path("all.gguf");
  const Importance written = small_importance();
  ASSERT_TRUE(write_importance(path, written, ImportanceFormat::gguf).ok());
  const auto read = read_importance(path);
  ASSERT_TRUE(read.ok()) << read.error().message;
  const InputStatistics& down = *read->find("blk.0.ffn_down.weight");
  EXPECT_EQ(down.sums, written.find("blk.0.ffn_down.weight")->sums);
  EXPECT_EQ(down.counts, std::vector<float>{8});
  EXPECT_EQ(down.correlations.coefficient, written.find("blk.0.ffn_down.weight")->correlations.coefficient);
  EXPECT_EQ(read->datasets, written.datasets);
  EXPECT_EQ(read->n_chunks, 2U);
  EXPECT_EQ(read->neuron_order, written.neuron_order);
  EXPECT_EQ(read->sensitivity, written.sensitivity);
  EXPECT_FALSE(read->was_legacy);
}

TEST(Importance, MeansAreOneWhereNothingWasSeen) {
  const Importance importance = small_importance();
  EXPECT_EQ(importance.find("blk.0.experts.weight")->mean_squares(), (std::vector<float>{1, 2, 1, 1}));
  EXPECT_EQ(importance.find("blk.1.experts.weight"), nullptr);
}

TEST(Importance, KeepsItsMeansInTheOlderFormat) {
  const std::string path = temporary_path("old.dat");
  const Importance written = small_importance();
  ASSERT_TRUE(write_importance(path, written, ImportanceFormat::legacy).ok());
  const auto read = read_importance(path);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read->was_legacy);
  EXPECT_EQ(read->n_chunks, 2U);
  EXPECT_EQ(read->datasets, std::vector<std::string>{"b.txt"});
  EXPECT_EQ(read->find("blk.0.ffn_down.weight")->mean_squares(), (std::vector<float>{0.5f, 0, 2, 0.125f}));
}

TEST(Importance, RefusesEveryCutOfTheOlderFormat) {
  const std::string path = temporary_path("cut.dat");
  Importance one = small_importance();
  one.tensors.erase("blk.0.experts.weight");
  ASSERT_TRUE(write_importance(path, one, ImportanceFormat::legacy).ok());
  std::string bytes(std::filesystem::file_size(path), '\0');
  FILE* file = std::fopen(path.c_str(), "rb");
  ASSERT_EQ(std::fread(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
  const size_t entry = 4 + 4 + std::string("blk.0.ffn_down.weight").size() + 4 + 4 + 16;
  for (size_t n = 0; n < bytes.size(); ++n) {
    const bool may_end_here = n == entry || n == entry + 4;  // older files lack what follows
    EXPECT_EQ(parse_legacy_importance(bytes.substr(0, n), "cut").ok(), may_end_here) << n;
  }
  EXPECT_TRUE(parse_legacy_importance(bytes, "whole").ok());
}

TEST(Importance, RefusesLengthsNoFileHolds) {
  for (const int32_t n : {-1, 0, 1 << 30, INT32_MAX}) {
    std::string bytes(8, '\0');
    const int32_t entries = 1;
    std::memcpy(bytes.data(), &entries, 4);
    std::memcpy(bytes.data() + 4, &n, 4);
    EXPECT_FALSE(parse_legacy_importance(bytes, "bad").ok()) << n;
  }
}

TEST(Importance, RefusesNumbersThatMeanNothing) {
  for (const float bad : {-1.0f, std::nanf(""), HUGE_VALF}) {
    const std::string path = temporary_path("bad.gguf");
    Importance importance = small_importance();
    importance.tensors["blk.0.ffn_down.weight"].sums[1] = bad;
    ASSERT_TRUE(write_importance(path, importance, ImportanceFormat::gguf).ok());
    const auto read = read_importance(path);
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message.find("blk.0.ffn_down.weight.in_sum2"), std::string::npos);
  }
}

TEST(Importance, RefusesAnOrderThatRepeatsANeuron) {
  const std::string path = temporary_path("order.gguf");
  Importance importance = small_importance();
  importance.neuron_order[0] = {0, 1, 1, 3};
  ASSERT_TRUE(write_importance(path, importance, ImportanceFormat::gguf).ok());
  EXPECT_FALSE(read_importance(path).ok());
}

TEST(Importance, RefusesAModelInItsPlace) {
  const std::string path = temporary_path("model.gguf");
  gguf::MetadataBuilder metadata;
  metadata.set_string("general.architecture", "plm");
  auto writer = gguf::Writer::create(path, metadata, {});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->finish().ok());
  EXPECT_FALSE(read_importance(path).ok());
}

TEST(Importance, AddsWhatTwoRunsSaw) {
  Importance sum = small_importance();
  ASSERT_TRUE(sum.merge(small_importance()).ok());
  EXPECT_EQ(sum.find("blk.0.ffn_down.weight")->sums, (std::vector<float>{8, 0, 32, 2}));
  EXPECT_EQ(sum.n_chunks, 4U);
  EXPECT_EQ(sum.find("blk.0.ffn_down.weight")->mean_squares(),
            small_importance().find("blk.0.ffn_down.weight")->mean_squares());
  Importance other = small_importance();
  other.tensors["blk.0.ffn_down.weight"].sums.resize(2);
  EXPECT_FALSE(sum.merge(other).ok());
  Importance legacy = small_importance();
  legacy.was_legacy = true;
  EXPECT_FALSE(sum.merge(legacy).ok());
}

}  // namespace
}  // namespace plm::quantize
