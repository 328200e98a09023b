#include "convert/sentencepiece_model.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

namespace plm::convert {
namespace {

using tokenizer::VocabularyData;

// Field numbers of sentencepiece_model.proto.
constexpr uint32_t kPieces = 1, kTrainer = 2, kNormalizer = 3;       // ModelProto
constexpr uint32_t kPieceText = 1, kPieceScore = 2, kPieceType = 3;  // SentencePiece
constexpr uint32_t kModelType = 3, kVocabularySize = 4;              // TrainerSpec
constexpr uint32_t kByteFallback = 35;                               // TrainerSpec
constexpr uint32_t kNormalizerName = 1, kAddDummyPrefix = 3;         // NormalizerSpec
constexpr uint32_t kRemoveExtraBlanks = 4, kEscapeBlanks = 5;        // NormalizerSpec
constexpr uint64_t kBpe = 2;                                         // TrainerSpec.ModelType
constexpr uint64_t kUnigram = 1;                                     // its default
constexpr auto kNormalType = static_cast<uint64_t>(tokenizer::TokenType::normal);
constexpr auto kByteType = static_cast<uint64_t>(tokenizer::TokenType::byte);

// Wire types of protocol buffers.
enum class Wire : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Wire wire = Wire::varint;
  uint64_t value = 0;      // varint, fixed
  std::string_view bytes;  // bytes
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }

  // Nothing when the bytes are not a message.
  std::optional<Field> next() {
    const auto tag = varint();
    if (!tag || *tag > UINT32_MAX) return std::nullopt;
    Field field{.number = static_cast<uint32_t>(*tag >> 3),
                .wire = static_cast<Wire>(*tag & 7),
                .value = 0,
                .bytes = {}};
    switch (field.wire) {
      case Wire::varint: {
        const auto value = varint();
        if (!value) return std::nullopt;
        field.value = *value;
        return field;
      }
      case Wire::fixed64:
        return fixed(field, sizeof(uint64_t));
      case Wire::fixed32:
        return fixed(field, sizeof(uint32_t));
      case Wire::bytes: {
        const auto length = varint();
        if (!length || *length > rest_.size()) return std::nullopt;
        field.bytes = rest_.substr(0, *length);
        rest_.remove_prefix(*length);
        return field;
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  std::optional<Field> fixed(Field field, size_t n_bytes) {
    if (rest_.size() < n_bytes) return std::nullopt;
    std::memcpy(&field.value, rest_.data(), n_bytes);
    rest_.remove_prefix(n_bytes);
    return field;
  }

  std::string_view rest_;
};

// Visits every field; false when the bytes are not a message.
template <class Visit>
bool for_each_field(std::string_view bytes, Visit&& visit) {
  Reader reader(bytes);
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) return false;
    visit(*field);
  }
  return true;
}

bool add_piece(std::string_view bytes, VocabularyData& data) {
  std::string text;
  float score = 0;
  uint64_t type = kNormalType;
  const bool is_message = for_each_field(bytes, [&](const Field& field) {
    if (field.number == kPieceText && field.wire == Wire::bytes) text = field.bytes;
    if (field.number == kPieceScore && field.wire == Wire::fixed32) {
      score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
    }
    if (field.number == kPieceType && field.wire == Wire::varint) type = field.value;
  });
  if (!is_message || type > kByteType) return false;
  data.tokens.push_back(std::move(text));
  data.scores.push_back(score);
  data.types.push_back(static_cast<int32_t>(type));
  return true;
}

// A message being written.
class Message {
 public:
  void add(uint32_t number, uint64_t value) {
    add_varint(uint64_t{number} << 3 | static_cast<uint32_t>(Wire::varint));
    add_varint(value);
  }
  void add(uint32_t number, std::string_view bytes) {
    add_varint(uint64_t{number} << 3 | static_cast<uint32_t>(Wire::bytes));
    add_varint(bytes.size());
    text_ += bytes;
  }
  void add(uint32_t number, float value) {
    add_varint(uint64_t{number} << 3 | static_cast<uint32_t>(Wire::fixed32));
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    text_.append(bytes, sizeof(bytes));
  }
  const std::string& text() const { return text_; }

 private:
  void add_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
    text_ += static_cast<char>(value);
  }

  std::string text_;
};

}  // namespace

Status read_sentencepiece_model(std::string_view bytes, const std::string& path, VocabularyData& data) {
  data.model = "llama";
  uint64_t model_type = kUnigram;
  bool adds_prefix = true;
  bool is_sound = true;
  const bool is_message = for_each_field(bytes, [&](const Field& field) {
    if (field.wire != Wire::bytes) return;
    if (field.number == kPieces) is_sound = add_piece(field.bytes, data) && is_sound;
    if (field.number == kTrainer) {
      is_sound = for_each_field(field.bytes,
                                [&](const Field& inner) {
                                  if (inner.number == kModelType && inner.wire == Wire::varint)
                                    model_type = inner.value;
                                }) &&
                 is_sound;
    }
    if (field.number == kNormalizer) {
      is_sound = for_each_field(field.bytes,
                                [&](const Field& inner) {
                                  if (inner.number == kAddDummyPrefix && inner.wire == Wire::varint)
                                    adds_prefix = inner.value != 0;
                                }) &&
                 is_sound;
    }
  });
  if (!is_message || !is_sound || data.tokens.empty()) {
    return make_error(ErrorKind::bad_data, "{}: found bytes that are not a SentencePiece model, expected one",
                      path);
  }
  if (model_type != kBpe) {
    return make_error(ErrorKind::unsupported, "{}: model_type: found {}, expected {} (BPE)", path, model_type,
                      kBpe);
  }
  data.add_space_prefix = adds_prefix;
  return {};
}

std::string make_sentencepiece_model(const VocabularyData& data) {
  Message model;
  bool has_bytes = false;
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    const auto type = data.types.empty() ? kNormalType : static_cast<uint64_t>(data.types[id]);
    has_bytes = has_bytes || type == kByteType;
    Message piece;
    piece.add(kPieceText, std::string_view(data.tokens[id]));
    piece.add(kPieceScore, data.scores.empty() ? 0.0F : data.scores[id]);
    // "Undefined" is GGUF's alone.
    piece.add(kPieceType, type == 0 ? kNormalType : type);
    model.add(kPieces, std::string_view(piece.text()));
  }
  Message trainer;
  trainer.add(kModelType, kBpe);
  trainer.add(kVocabularySize, uint64_t{data.tokens.size()});
  trainer.add(kByteFallback, uint64_t{has_bytes});
  model.add(kTrainer, std::string_view(trainer.text()));
  Message normalizer;
  normalizer.add(kNormalizerName, std::string_view("identity"));
  normalizer.add(kAddDummyPrefix, uint64_t{data.add_space_prefix.value_or(true)});
  normalizer.add(kRemoveExtraBlanks, uint64_t{0});
  normalizer.add(kEscapeBlanks, uint64_t{1});
  model.add(kNormalizer, std::string_view(normalizer.text()));
  return model.text();
}

}  // namespace plm::convert
