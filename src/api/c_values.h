// Values of plm_c.h from and to those of plm.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "plm/plm.h"
#include "plm/plm_c.h"

namespace plm::api {

inline plm_text to_c(const std::string& text) { return {text.c_str(), text.size()}; }

// Fail with invalid_argument on a null pointer that has a length; `name` is for the message.
Result<std::string> text_of(const char* name, plm_text text);
template <class T>
Result<std::span<const T>> span_of(const char* name, const T* data, size_t size) {
  if (data != nullptr || size == 0) return std::span<const T>(data, data == nullptr ? 0 : size);
  return make_error(ErrorKind::invalid_argument, "{}: found a null pointer to {} elements", name, size);
}

KeepGoing keep_going_of(plm_keep_going keep_going, void* data);

// Null: the defaults. Fail with invalid_argument on a struct that was not begun with its _init.
Result<ModelOptions> model_options(const plm_model_options* options);
Result<GenerateOptions> generate_options(const plm_generate_options* options);

// A piece in C's terms: pointers into `piece`, which must stay as it is.
class PieceView {
 public:
  explicit PieceView(const Piece& piece);
  PieceView(const PieceView&) = delete;
  PieceView& operator=(const PieceView&) = delete;
  const plm_piece& view() const { return view_; }

 private:
  std::vector<std::vector<plm_alternative>> tops_;
  std::vector<plm_token_score> tokens_;
  std::vector<plm_tool_call> calls_;
  plm_piece view_ = {};
};

}  // namespace plm::api
