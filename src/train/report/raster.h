// A small picture with lines and letters, and its PNG. Internal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plm::train {

struct Color {
  uint8_t red = 0, green = 0, blue = 0;
};

class Raster {
 public:
  Raster(int width, int height) : width_(width), height_(height), pixels_(3UL * width * height, 255) {}

  // Outside the picture nothing is drawn.
  void point(int x, int y, Color color);
  void line(double x0, double y0, double x1, double y1, Color color);
  // Letters 8 pixels apart and 10 high, from the upper left corner.
  void text(int x, int y, std::string_view text, Color color);

  std::string png() const;

 private:
  int width_, height_;
  std::vector<uint8_t> pixels_;
};

constexpr int kLetterWidth = 8;
constexpr int kLetterHeight = 10;

}  // namespace plm::train
