#include "api/generate.h"

#include "api/guard.h"
#include "api/request.h"

namespace plm {

namespace api {

Result<std::unique_ptr<Stream::State>> begin(std::shared_ptr<Model::State> model,
                                             scheduler::Request request) {
  auto state = std::make_unique<Stream::State>();
  PLM_TRY(state->work, model->submit(std::move(request)));
  state->model = std::move(model);
  return state;
}

Result<Answer> read_to_end(Stream stream, const KeepGoing& keep_going, const OnPiece& on_piece) {
  // A callback's own exceptions go to whoever called; the stream stops the work on their way.
  Piece piece;
  while (true) {
    if (!goes_on(keep_going)) return stopped_error();
    switch (stream.next(piece, kGlance)) {
      case Stream::Next::finished:
        return guarded([&] { return stream.answer(); });
      case Stream::Next::piece:
        if (on_piece && !on_piece(piece)) stream.stop();
        break;
      case Stream::Next::nothing_yet:
        break;
    }
  }
}

}  // namespace api

Result<Stream> Model::stream(const Prompt& prompt, const GenerateOptions& options) const {
  return api::guarded([&]() -> Result<Stream> {
    PLM_TRY(auto tokens, api::prompt_tokens(*state_, prompt, {.parse_special = options.parse_special}));
    PLM_TRY(auto request, api::continuation(*state_, std::move(tokens), options));
    PLM_TRY(auto state, api::begin(state_, std::move(request)));
    return Stream(std::move(state));
  });
}

Result<Answer> Model::generate(const Prompt& prompt, const GenerateOptions& options,
                               const OnPiece& on_piece) const {
  PLM_TRY(Stream begun, stream(prompt, options));
  return api::read_to_end(std::move(begun), options.keep_going, on_piece);
}

}  // namespace plm
