// Reads the arrays of an .npz file made by numpy.savez (a zip archive of .npy files, not compressed):
// the golden numbers of an independent reference. Only for tests: a bad file ends the test program.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace plm::test {

struct NpyArray {
  std::string dtype;  // "<f4", "<f8", "<i4"
  std::vector<int64_t> shape;
  std::string data;

  int64_t size() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }

  template <class T>
  std::vector<T> as() const {
    std::vector<T> out;
    for (int64_t i = 0; i < size(); ++i) {
      if (dtype == "<f4") out.push_back(static_cast<T>(at<float>(i)));
      if (dtype == "<f8") out.push_back(static_cast<T>(at<double>(i)));
      if (dtype == "<i4") out.push_back(static_cast<T>(at<int32_t>(i)));
      if (dtype == "<i8") out.push_back(static_cast<T>(at<int64_t>(i)));
    }
    if (static_cast<int64_t>(out.size()) != size()) throw std::runtime_error("npy: unknown dtype " + dtype);
    return out;
  }

 private:
  template <class T>
  T at(int64_t i) const {
    T value;
    std::memcpy(&value, data.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }
};

inline NpyArray parse_npy(const std::string& bytes) {
  uint16_t header_size = 0;
  std::memcpy(&header_size, bytes.data() + 8, 2);  // version 1.0: magic 6, version 2, size 2
  const std::string header = bytes.substr(10, header_size);
  NpyArray array;
  const size_t descr = header.find("'descr': '") + 10;
  array.dtype = header.substr(descr, header.find('\'', descr) - descr);
  if (header.find("'fortran_order': False") == std::string::npos)
    throw std::runtime_error("npy: Fortran order");
  size_t at = header.find("'shape': (") + 10;
  while (header[at] != ')') {
    size_t used = 0;
    array.shape.push_back(std::stoll(header.substr(at), &used));
    at += used;
    while (header[at] == ',' || header[at] == ' ') ++at;
  }
  array.data = bytes.substr(10 + header_size);
  return array;
}

inline std::map<std::string, NpyArray> read_npz(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot open " + path);
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  const auto number = [&](size_t at, int n_bytes) {
    uint64_t value = 0;
    std::memcpy(&value, file.data() + at, static_cast<size_t>(n_bytes));
    return value;
  };
  const size_t end = file.rfind("PK\5\6");
  if (end == std::string::npos) throw std::runtime_error("no zip archive: " + path);
  std::map<std::string, NpyArray> arrays;
  size_t at = number(end + 16, 4);
  for (uint64_t i = 0; i < number(end + 10, 2); ++i) {
    const uint64_t method = number(at + 10, 2), size = number(at + 24, 4), local = number(at + 42, 4);
    const uint64_t name_size = number(at + 28, 2);
    const std::string name = file.substr(at + 46, name_size);
    if (method != 0) throw std::runtime_error("compressed entry " + name);
    const size_t data = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    arrays[name.substr(0, name.size() - 4)] = parse_npy(file.substr(data, size));
    at += 46 + name_size + number(at + 30, 2) + number(at + 32, 2);
  }
  return arrays;
}

}  // namespace plm::test
