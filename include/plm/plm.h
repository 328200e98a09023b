// The library, from outside: a program that has found the package `plm` and links plm::plm starts here.
//
//   auto engine = plm::runtime::Engine::load({.model_path = "model.gguf"});
//   if (!engine.ok()) return complain(engine.error().message);
//   auto session = (*engine)->new_session();
//   ...
// tests/install/consumer.cpp is a whole program. What these headers say is the contract; there is no
// promise of binary compatibility between versions yet.
#pragma once

#include "base/error.h"
#include "runtime/engine.h"
#include "runtime/sampler.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8_stream.h"
