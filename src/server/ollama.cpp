#include "server/ollama.h"

#include <filesystem>

#include "scheduler/slot_rows.h"

namespace plm::server {

namespace {

int64_t parameter_count(const gguf::File& file) {
  int64_t n = 0;
  for (const gguf::TensorInfo& tensor : file.tensors()) n += tensor.n_elements;
  return n;
}

// "7.1M", "1.8B".
std::string parameter_size(int64_t count) {
  const auto n = static_cast<double>(count);
  if (n >= 1e9) return fmt::format("{:.1f}B", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.1f}M", n / 1e6);
  return fmt::format("{:.1f}K", n / 1e3);
}

// The oldest time there is where the file has gone.
std::string modified_at(const std::string& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  if (error) return rfc3339({});
  return rfc3339(std::chrono::time_point_cast<std::chrono::system_clock::duration>(
      std::chrono::file_clock::to_sys(time)));
}

Json number_json(const gguf::Number& number) {
  if (const auto truth = number.to_bool()) return *truth;
  if (const auto natural = number.to_uint()) return *natural;
  if (const auto whole = number.to_int()) return *whole;
  if (const auto real = number.to_double()) return *real;
  return nullptr;
}

Json array_json(const gguf::Array& array) {
  Json list = Json::array();
  for (size_t i = 0; array.holds_numbers() && i < array.size; ++i)
    list.push_back(number_json(array.number(i)));
  for (const std::string_view text : array.strings) list.push_back(text);
  for (const gguf::Array& inner : array.arrays) list.push_back(array_json(inner));
  return list;
}

}  // namespace

std::string rfc3339(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): its words are what a date is made of
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<microseconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string ollama_name(std::string_view model_name) {
  return std::string(model_name) + (model_name.find(':') == std::string_view::npos ? ":latest" : "");
}

Json ollama_model_entry(const gguf::File& file, std::string_view model_name, std::string_view quantization) {
  const std::string name = ollama_name(model_name);
  const auto family = file.get_string_or("general.architecture", "");
  const std::string known_family(family.ok() ? *family : "");
  return {{"name", name},
          {"model", name},
          {"modified_at", modified_at(file.path())},
          {"size", file.file_bytes()},
          {"digest", fmt::format("{:016x}{:048x}", scheduler::quick_hash_of(file), 0)},
          {"details",
           {{"parent_model", ""},
            {"format", "gguf"},
            {"family", known_family},
            {"families", Json::array({known_family})},
            {"parameter_size", parameter_size(parameter_count(file))},
            {"quantization_level", quantization}}}};
}

Json ollama_model_info(const gguf::File& file, LongArrays long_arrays) {
  constexpr size_t kLong = 8;
  Json info = Json::object();
  info["general.parameter_count"] = parameter_count(file);
  for (const auto& [key, value] : file.metadata()) {
    Json& shown = info[std::string(key)];
    if (const gguf::Number* number = value.number()) {
      shown = number_json(*number);
    } else if (const std::string_view* text = value.string()) {
      shown = *text;
    } else if (const gguf::Array* array = value.array();
               array != nullptr && (array->size <= kLong || long_arrays == LongArrays::whole)) {
      shown = array_json(*array);
    }
  }
  return info;
}

}  // namespace plm::server
