// The options of choosing tokens, with llama.cpp's names.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/sampler.h"
#include "tokenizer/tokenizer.h"

namespace plm::cli {

class SamplingOptions {
 public:
  void add_to(CLI::App& app);

  // These settings for a vocabulary, and a sampler with them; `constraint` may be null.
  Result<runtime::SamplerOptions> make_options(const tokenizer::Tokenizer& tokenizer) const;
  Result<runtime::Sampler> make_sampler(const tokenizer::Tokenizer& tokenizer,
                                        std::shared_ptr<const grammar::Constraint> constraint) const;

 private:
  runtime::SamplerOptions options_;
  int64_t seed_ = -1;
  std::string chain_names_, chain_letters_;
  std::vector<std::string> logit_biases_, dry_breakers_;
  bool ignore_eos_ = false;
};

}  // namespace plm::cli
