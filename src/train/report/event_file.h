// TensorBoard's event files: TFRecords of Event protocol buffers, scalars only.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::train {

class EventFile {
 public:
  // Opens FOLDER/events.out.tfevents.SECONDS.HOST.PID for writing; the folder must exist.
  static Result<EventFile> create(const std::string& folder, double wall_seconds);

  Status scalar(std::string_view tag, int64_t step, double value, double wall_seconds);
  // So far written lines can be read by others.
  Status flush();

 private:
  explicit EventFile(std::FILE* file, std::string path) : file_(file, &std::fclose), path_(std::move(path)) {}
  Status record(std::string_view event);

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::string path_;
};

// CRC-32C (Castagnoli), as TFRecords use it.
uint32_t crc32c(std::string_view bytes);

}  // namespace plm::train
