// Writing the older importance file (.dat). Reading it: importance.h.
//
//   int32 number of entries; of each: int32 length and bytes of the name, int32 calls, int32 number of
//   values and float32 values (mean squares times calls); at the end int32 chunks, int32 length and
//   bytes of the data set's name. Little endian.
#pragma once

#include <string>

#include "quantize/importance.h"

namespace plm::quantize {

// The bytes of the file.
std::string encode_legacy_importance(const Importance& importance);

Status write_legacy_importance(const std::string& path, const Importance& importance);

}  // namespace plm::quantize
