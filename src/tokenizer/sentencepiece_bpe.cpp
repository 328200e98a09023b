#include "tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <string>

#include "tokenizer/utf8.h"

namespace plm::tokenizer {
namespace {

constexpr std::string_view kMetaSpace = "\xE2\x96\x81";
constexpr std::size_t kNone = ~std::size_t{0};
constexpr TokenId kNoToken = -1;

struct Node {
  std::size_t begin;
  std::size_t size;  // 0 once merged into the one before
  std::size_t previous;
  std::size_t next;
};

struct Candidate {
  float score;
  std::size_t left;
  std::size_t right;
  std::size_t size;  // of both, to see whether either has changed since
};

// A heap of the standard library has its greatest on top: greatest is what merges first.
bool merges_later(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score < b.score : a.left > b.left;
}

bool is_text(TokenType type) {
  return type != TokenType::control && type != TokenType::unknown && type != TokenType::byte;
}

std::string with_meta_spaces(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      out += kMetaSpace;
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::vector<Node> characters_of(std::string_view text) {
  std::vector<Node> nodes;
  nodes.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = decode_utf8(text.substr(at)).length;
    const std::size_t index = nodes.size();
    nodes.push_back({at, size, index == 0 ? kNone : index - 1, index + 1});
    at += size;
  }
  if (!nodes.empty()) nodes.back().next = kNone;
  return nodes;
}

}  // namespace

SentencePieceBpe::SentencePieceBpe(const Vocabulary& vocabulary)
    : vocabulary_(&vocabulary), pieces_(vocabulary.size()) {
  byte_ids_.fill(kNoToken);
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& text = vocabulary.texts[id];
    if (vocabulary.types[id] == TokenType::byte) {
      byte_ids_[static_cast<unsigned char>(vocabulary.bytes[id][0])] = static_cast<TokenId>(id);
    } else if (is_text(vocabulary.types[id]) && !text.empty()) {
      pieces_.set(text, static_cast<std::uint32_t>(id));
      longest_piece_ = std::max(longest_piece_, text.size());
    }
  }
}

void SentencePieceBpe::encode(std::string_view raw_text, std::vector<TokenId>& ids) const {
  const std::string text = with_meta_spaces(raw_text);
  std::vector<Node> nodes = characters_of(text);
  std::vector<Candidate> heap;
  const auto consider = [&](std::size_t left) {
    if (left == kNone || nodes[left].next == kNone) return;
    const std::size_t right = nodes[left].next;
    const std::size_t size = nodes[left].size + nodes[right].size;
    if (size > longest_piece_) return;
    const auto id = pieces_.find(std::string_view(text).substr(nodes[left].begin, size));
    if (!id) return;
    heap.push_back({vocabulary_->scores[*id], left, right, size});
    std::push_heap(heap.begin(), heap.end(), merges_later);
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) consider(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), merges_later);
    const Candidate best = heap.back();
    heap.pop_back();
    Node& left = nodes[best.left];
    Node& right = nodes[best.right];
    if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
    left.size = best.size;
    left.next = right.next;
    right.size = 0;
    if (left.next != kNone) nodes[left.next].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  for (std::size_t i = nodes.empty() ? kNone : 0; i != kNone; i = nodes[i].next) {
    emit(std::string_view(text).substr(nodes[i].begin, nodes[i].size), ids);
  }
}

// A byte without a token is written as the unknown token, if there is one.
void SentencePieceBpe::emit(std::string_view piece, std::vector<TokenId>& ids) const {
  if (const auto id = pieces_.find(piece)) {
    ids.push_back(static_cast<TokenId>(*id));
    return;
  }
  for (const char byte : piece) {
    const TokenId id = byte_ids_[static_cast<unsigned char>(byte)];
    if (id != kNoToken) {
      ids.push_back(id);
    } else if (vocabulary_->unknown) {
      ids.push_back(*vocabulary_->unknown);
    }
  }
}

}  // namespace plm::tokenizer
