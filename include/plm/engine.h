// The parts beneath plm.h, for programs that choose tokens themselves: engine, sessions, samplers, tokenizer.
//
//   auto engine = plm::runtime::Engine::load({.model_path = "model.gguf"});
//   if (!engine.ok()) return complain(engine.error().message);
//   auto session = (*engine)->new_session();
//   ...
// tests/install/consumer.cpp is a whole program. What these headers say is the contract, but they move with
// the engine: what plm.h offers stays longer.
#pragma once

#include "base/error.h"
#include "runtime/engine.h"
#include "runtime/sampler.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8_stream.h"
