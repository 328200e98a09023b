#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/merge_rules.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/sentencepiece_bpe.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/vocabulary.h"

namespace plm::tokenizer {
namespace {

enum class Normalizer { none, nfc };

Result<Normalizer> find_normalizer(std::string_view name) {
  if (name.empty()) return Normalizer::none;
  if (name == "NFC") return Normalizer::nfc;
  return make_error(ErrorKind::unsupported, "plm.tokenizer.normalizer: found \"{}\", expected \"NFC\"", name);
}

Result<PreTokenizer> checked_pre_tokenizer(const VocabularyData& data) {
  if (const auto kind = find_pre_tokenizer(data.pre_tokenizer)) return *kind;
  return make_error(ErrorKind::unsupported, "tokenizer.ggml.pre: found \"{}\", expected one of {}",
                    data.pre_tokenizer, known_pre_tokenizers());
}

// That one may stand for; 0 where bytes of a text may come to no token at all.
std::size_t most_bytes_a_token(const Vocabulary& vocabulary) {
  std::size_t most = 1;
  std::array<bool, 256> is_written{};
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    // As the file writes it no token is shorter than what it stands for.
    most = std::max(most, vocabulary.texts[id].size());
    const bool writes_bytes =
        vocabulary.types[id] ==
        (vocabulary.family == Family::byte_level_bpe ? TokenType::normal : TokenType::byte);
    const std::string& bytes = vocabulary.bytes[id];
    if (writes_bytes && bytes.size() == 1) is_written[static_cast<unsigned char>(bytes[0])] = true;
  }
  const bool all_are_written = vocabulary.unknown || std::ranges::find(is_written, false) == is_written.end();
  return all_are_written ? most : 0;
}

// The working memories of encode calls that have ended, for those to come: their word caches are warm.
class ScratchPool {
 public:
  std::unique_ptr<BpeScratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<BpeScratch>();
    std::unique_ptr<BpeScratch> scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  void give_back(std::unique_ptr<BpeScratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BpeScratch>> free_;
};

}  // namespace

struct Tokenizer::State {
  Vocabulary vocabulary;
  std::string model;
  std::string pre_tokenizer_name;
  std::string chat_template;
  Normalizer normalizer = Normalizer::none;
  std::optional<SpecialTokens> special_tokens;
  MergeRules merge_rules;
  std::optional<ByteLevelBpe> byte_level;  // one of these two
  std::optional<SentencePieceBpe> sentencepiece;
  std::size_t most_bytes_a_token = 0;  // that one may stand for; 0: not known
  mutable ScratchPool scratch_pool;
};

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::create(VocabularyData data) {
  auto state = std::make_unique<State>();
  PLM_TRY(state->vocabulary, Vocabulary::create(data));
  PLM_TRY(state->normalizer, find_normalizer(data.normalizer));
  state->model = std::move(data.model);
  state->chat_template = std::move(data.chat_template);
  state->special_tokens.emplace(state->vocabulary);
  if (state->vocabulary.family == Family::sentencepiece) {
    state->sentencepiece.emplace(state->vocabulary);
  } else {
    PLM_TRY(const PreTokenizer pre_tokenizer, checked_pre_tokenizer(data));
    PLM_TRY(state->merge_rules, MergeRules::create(state->vocabulary, data.merges));
    state->byte_level.emplace(state->vocabulary, state->merge_rules, pre_tokenizer);
    state->pre_tokenizer_name = data.pre_tokenizer.empty() ? "default" : std::move(data.pre_tokenizer);
  }
  state->most_bytes_a_token = most_bytes_a_token(state->vocabulary);
  return Tokenizer(std::move(state));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  const Vocabulary& vocabulary = state_->vocabulary;
  std::vector<TokenId> ids;
  ids.reserve(std::min(text.size() / 3, options.enough) + 8);
  if (options.add_special && vocabulary.add_bos && vocabulary.bos) ids.push_back(*vocabulary.bos);

  std::unique_ptr<BpeScratch> scratch;
  if (state_->byte_level) scratch = state_->scratch_pool.take();
  const auto encode_plain = [&](std::string_view part) {
    if (part.empty() || ids.size() > options.enough) return;
    std::string normalized;
    if (state_->normalizer == Normalizer::nfc && may_change_under_nfc(part)) {
      normalized = nfc(part);
      part = normalized;
    }
    // A beginning that is too much already: SentencePiece merges all of a text at once, and byte-level BPE a
    // word, which may be all of it.
    const std::size_t per_token = state_->most_bytes_a_token;
    const std::size_t room = options.enough - ids.size();
    if (per_token > 0 && room < part.size() / per_token) part = part.substr(0, (room + 1) * per_token);
    if (state_->byte_level) {
      state_->byte_level->encode(part, *scratch, ids, options.enough);
    } else if (vocabulary.add_space_prefix) {
      state_->sentencepiece->encode(std::string(" ").append(part), ids);
    } else {
      state_->sentencepiece->encode(part, ids);
    }
  };
  std::size_t done = 0;
  for (const SpecialMatch& match : state_->special_tokens->find(text, options.parse_special)) {
    if (ids.size() > options.enough) break;
    encode_plain(text.substr(done, match.begin - done));
    ids.push_back(match.id);
    done = match.begin + match.size;
  }
  encode_plain(text.substr(done));
  if (scratch) state_->scratch_pool.give_back(std::move(scratch));

  if (options.add_special && vocabulary.add_eos && vocabulary.eos) ids.push_back(*vocabulary.eos);
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, DecodeOptions options) const {
  std::string text;
  bool after_special = true;  // where encode put a blank before the text
  for (const TokenId id : ids) {
    if (!is_valid(id)) continue;
    const TokenType type = token_type(id);
    const bool special = is_special(id) || type == TokenType::user_defined;
    if (!is_special(id) || !options.skip_special) {
      std::string_view bytes = token_bytes(id);
      if (!special && after_special && state_->vocabulary.add_space_prefix && bytes.starts_with(' ')) {
        bytes.remove_prefix(1);
      }
      text += bytes;
    }
    after_special = special;
  }
  return text;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return is_valid(id) ? std::string_view(state_->vocabulary.bytes[static_cast<std::size_t>(id)])
                      : std::string_view();
}

std::string_view Tokenizer::token_text(TokenId id) const {
  return is_valid(id) ? std::string_view(state_->vocabulary.texts[static_cast<std::size_t>(id)])
                      : std::string_view();
}

TokenType Tokenizer::token_type(TokenId id) const {
  return is_valid(id) ? state_->vocabulary.type(id) : TokenType::undefined;
}

std::optional<TokenId> Tokenizer::find(std::string_view text) const { return state_->vocabulary.find(text); }

bool Tokenizer::is_special(TokenId id) const {
  const TokenType type = token_type(id);
  return type == TokenType::control || type == TokenType::unknown;
}

bool Tokenizer::is_end_of_generation(TokenId id) const {
  const std::vector<TokenId>& ids = state_->vocabulary.end_ids;
  return std::binary_search(ids.begin(), ids.end(), id);
}

std::span<const TokenId> Tokenizer::end_of_generation_ids() const { return state_->vocabulary.end_ids; }

std::size_t Tokenizer::vocabulary_size() const { return state_->vocabulary.size(); }
std::optional<TokenId> Tokenizer::bos() const { return state_->vocabulary.bos; }
std::optional<TokenId> Tokenizer::eos() const { return state_->vocabulary.eos; }
std::optional<TokenId> Tokenizer::unknown() const { return state_->vocabulary.unknown; }
std::optional<TokenId> Tokenizer::padding() const { return state_->vocabulary.padding; }
bool Tokenizer::adds_bos() const { return state_->vocabulary.add_bos; }
bool Tokenizer::adds_eos() const { return state_->vocabulary.add_eos; }
const std::string& Tokenizer::model() const { return state_->model; }
const std::string& Tokenizer::pre_tokenizer() const { return state_->pre_tokenizer_name; }
const std::string& Tokenizer::chat_template() const { return state_->chat_template; }

}  // namespace plm::tokenizer
