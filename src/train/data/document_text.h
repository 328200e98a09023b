// From a raw document to checked text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "train/data/document_reader.h"

namespace plm::train {

// The place of the first byte that is not UTF-8.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// The text of a document; `column` is the field of a JSON object. Fails with bad_data on broken JSON, a
// missing field and invalid UTF-8, naming file and line.
Result<std::string> text_of(RawDocument document, const std::string& column, const std::string& path);

}  // namespace plm::train
