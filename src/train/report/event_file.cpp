#include "train/report/event_file.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace plm::train {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ 0x82f63b78U : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

// TFRecord stores checksums so that a checksum of data that holds checksums is no weakness.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

template <class T>
void append_raw(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_key(std::string& out, uint32_t field, WireType type) { append_varint(out, field << 3 | type); }

void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Field numbers are those of tensorflow/core/util/event.proto and framework/summary.proto.
std::string event_head(double wall_seconds, int64_t step) {
  std::string event;
  append_key(event, 1, kFixed64);
  append_raw(event, wall_seconds);
  append_key(event, 2, kVarint);
  append_varint(event, static_cast<uint64_t>(step));
  return event;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) crc = kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

Result<EventFile> EventFile::create(const std::string& folder, double wall_seconds) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::string path = fmt::format("{}/events.out.tfevents.{:010d}.{}.{}", folder,
                                       static_cast<int64_t>(wall_seconds), host.data(), ::getpid());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return errno_error(path, "cannot create", errno);
  EventFile events(file, path);
  std::string version = event_head(wall_seconds, 0);
  append_bytes(version, 3, "brain.Event:2");
  PLM_TRY_STATUS(events.record(version));
  return events;
}

Status EventFile::record(std::string_view event) {
  std::string length;
  append_raw(length, static_cast<uint64_t>(event.size()));
  std::string out = length;
  append_raw(out, masked_crc(length));
  out.append(event);
  append_raw(out, masked_crc(event));
  if (std::fwrite(out.data(), 1, out.size(), file_.get()) != out.size()) {
    return errno_error(path_, "cannot write", errno);
  }
  return {};
}

Status EventFile::scalar(std::string_view tag, int64_t step, double value, double wall_seconds) {
  std::string inner;
  append_bytes(inner, 1, tag);
  append_key(inner, 2, kFixed32);
  append_raw(inner, static_cast<float>(value));
  std::string summary;
  append_bytes(summary, 1, inner);
  std::string event = event_head(wall_seconds, step);
  append_bytes(event, 5, summary);
  return record(event);
}

Status EventFile::flush() {
  if (std::fflush(file_.get()) != 0) return errno_error(path_, "cannot write", errno);
  return {};
}

}  // namespace plm::train
