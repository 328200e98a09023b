// What generate and chat share.
#pragma once

#include <utility>

#include "api/state.h"

namespace plm::api {

Result<std::unique_ptr<Stream::State>> begin(std::shared_ptr<Model::State> model, scheduler::Request request);

// Reads a stream to its end, handing out its pieces.
Result<Answer> read_to_end(Stream stream, const KeepGoing& keep_going, const OnPiece& on_piece);

}  // namespace plm::api
