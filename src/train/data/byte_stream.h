// The bytes of a file, unpacked where it is compressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"

namespace plm::train {

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Up to out.size() bytes; 0 only at the end of the file. Fails with bad_data where compressed data are
  // damaged or end too early, naming the file.
  virtual Result<size_t> read(std::span<char> out) = 0;

  // Bytes of the file itself that were read so far: for progress.
  virtual int64_t file_bytes_read() const = 0;
};

// gzip and zstd are told by their first bytes, whatever the file is called; several members or frames after
// each other are one text.
Result<std::unique_ptr<ByteStream>> open_bytes(const std::string& path);

}  // namespace plm::train
