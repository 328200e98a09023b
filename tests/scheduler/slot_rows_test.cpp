#include "scheduler/slot_rows.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "../gguf/temporary_folder.h"

namespace plm::scheduler {
namespace {

class SlotFileTest : public TemporaryFolder {
 protected:
  static SlotRows rows() {
    SlotRows made{.tokens = std::vector<TokenId>(70), .n_exact = 64, .rows = {}};
    std::iota(made.tokens.begin(), made.tokens.end(), 5);
    for (size_t i = 0; i < made.tokens.size() * static_cast<size_t>(kShape.bytes_per_token); ++i) {
      made.rows.push_back(static_cast<std::byte>(i * 7));
    }
    return made;
  }
  static constexpr SlotShape kShape = {
      .identity = 0x1234567890abcdef, .bytes_per_token = 48, .capacity = 100, .vocabulary_size = 80};

  std::string saved() const {
    const auto n_bytes = write_slot_file(path("slot"), kShape, rows());
    EXPECT_TRUE(n_bytes.ok()) << n_bytes.error().message;
    const std::string bytes = read(path("slot"));
    EXPECT_EQ(*n_bytes, std::ssize(bytes));
    return bytes;
  }
  // What is said of a file with these bytes; "" when it is taken.
  static std::string refusal(std::string_view bytes, const SlotShape& shape = kShape) {
    const auto file = parse_slot_file(std::as_bytes(std::span(bytes.data(), bytes.size())), "slot", shape);
    if (file.ok()) return {};
    EXPECT_EQ(file.error().kind, ErrorKind::bad_data);
    return file.error().message;
  }
};

TEST_F(SlotFileTest, ComesBackAsItWas) {
  saved();
  const auto file = read_slot_file(path("slot"), kShape);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->rows.tokens, rows().tokens);
  EXPECT_EQ(file->rows.rows, rows().rows);
  EXPECT_EQ(file->rows.n_exact, 64);
}

TEST_F(SlotFileTest, MayHoldNothing) {
  ASSERT_TRUE(write_slot_file(path("slot"), kShape, {}).ok());
  const auto file = read_slot_file(path("slot"), kShape);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_TRUE(file->rows.tokens.empty());
}

TEST_F(SlotFileTest, IsRefusedWhereverItIsCut) {
  const std::string whole = saved();
  EXPECT_EQ(refusal(whole), "");
  for (size_t n = 0; n < whole.size(); ++n) {
    ASSERT_NE(refusal(std::string_view(whole).substr(0, n)), "") << n;
  }
  EXPECT_NE(refusal(whole + '\0'), "");
}

TEST_F(SlotFileTest, IsRefusedWhateverByteIsAnother) {
  const std::string whole = saved();
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int change : {1, 0x80}) {
      std::string other = whole;
      other[i] = static_cast<char>(other[i] ^ change);
      ASSERT_NE(refusal(other), "") << i;
    }
  }
}

TEST_F(SlotFileTest, BelongsToOneModelOfOneBuild) {
  const std::string whole = saved();
  const auto refused = [&](auto change) {
    SlotShape other = kShape;
    change(other);
    return refusal(whole, other);
  };
  EXPECT_NE(refused([](SlotShape& shape) { shape.identity ^= 1; }).find("another build"), std::string::npos);
  EXPECT_NE(refused([](SlotShape& shape) { shape.bytes_per_token = 24; }).find("another model"),
            std::string::npos);
  EXPECT_NE(refused([](SlotShape& shape) { shape.capacity = 69; }).find("70 tokens"), std::string::npos);
  EXPECT_NE(refused([](SlotShape& shape) { shape.vocabulary_size = 74; }).find("token id"),
            std::string::npos);
}

TEST_F(SlotFileTest, IsNotFoundWhereThereIsNone) {
  EXPECT_EQ(read_slot_file(path("absent"), kShape).error().kind, ErrorKind::not_found);
  EXPECT_FALSE(read_slot_file(folder_.string(), kShape).ok()) << "a folder";
  EXPECT_FALSE(write_slot_file(path("no/such/folder"), kShape, rows()).ok());
}

// Loads the bundled model.
class SlotShapeTest : public testing::Test {
 protected:
  static std::unique_ptr<runtime::Engine> load(int n_threads, std::optional<TensorType> cache_type = {},
                                               std::string isa = {}) {
    auto engine = runtime::Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                                         .n_threads = n_threads,
                                         .context_length = 64,
                                         .cache_type = cache_type,
                                         .isa = std::move(isa)});
    EXPECT_TRUE(engine.ok()) << engine.error().message;
    return *std::move(engine);
  }
  static SlotShape shape_of(runtime::Engine& engine) {
    auto shape = slot_shape(engine, hash_of(engine.file()));
    EXPECT_TRUE(shape.ok()) << shape.error().message;
    return *shape;
  }
};

TEST_F(SlotShapeTest, IsTheSameForAnyNumberOfThreadsAndAnotherForOtherRows) {
  const SlotShape one = shape_of(*load(1));
  const SlotShape two = shape_of(*load(2));
  EXPECT_EQ(one.identity, two.identity);
  EXPECT_EQ(one.bytes_per_token, two.bytes_per_token);
  EXPECT_NE(one.identity, shape_of(*load(2, TensorType::f32)).identity);
  EXPECT_NE(one.identity, shape_of(*load(2, {}, "reference")).identity);
}

TEST_F(SlotShapeTest, IsTheSameWhateverTheEngineRanBefore) {
  const auto engine = load(2);
  const SlotShape before = shape_of(*engine);
  auto session = engine->new_session();
  ASSERT_TRUE(session.ok());
  for (TokenId id = 0; id < 32; ++id) {  // layers that fire most of their neurons keep other rows now
    const TokenId token = id * 100;
    ASSERT_TRUE(session->decode({&token, 1}).ok());
  }
  EXPECT_EQ(shape_of(*engine).identity, before.identity);
}

class QuickHashTest : public TemporaryFolder {
 protected:
  static uint64_t hash_of_file(const std::string& path) {
    const auto file = gguf::File::open(path);
    EXPECT_TRUE(file.ok()) << file.error().message;
    return quick_hash_of(*file);
  }
};

TEST_F(QuickHashTest, IsOfWhatIsInTheFileAndNotOfItsName) {
  const std::string model = PLM_SOURCE_DIR "/models/story-7m-f16.gguf";
  std::string bytes = read(model);
  write("same.gguf", bytes);
  char& weight = bytes[bytes.size() / 16 * 9];
  weight = weight == 'a' ? 'b' : 'a';
  write("other.gguf", bytes);
  const uint64_t hash = hash_of_file(model);
  EXPECT_EQ(hash, hash_of_file(path("same.gguf")));
  EXPECT_NE(hash, hash_of_file(path("other.gguf")));
}

}  // namespace
}  // namespace plm::scheduler
