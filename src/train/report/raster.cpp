#include "train/report/raster.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace plm::train {
namespace {

// Five rows of three pixels for each letter, one octal digit a row, from the top.
struct Glyph {
  char letter;
  const char* rows;
};
constexpr auto kGlyphs = std::to_array<Glyph>({
    {'0', "75557"}, {'1', "26227"}, {'2', "71747"}, {'3', "71717"}, {'4', "55711"}, {'5', "74717"},
    {'6', "74757"}, {'7', "71122"}, {'8', "75757"}, {'9', "75717"}, {'.', "00002"}, {'-', "00700"},
    {'_', "00007"}, {'+', "02720"}, {'a', "25755"}, {'b', "65656"}, {'c', "34443"}, {'d', "65556"},
    {'e', "74647"}, {'f', "74644"}, {'g', "34553"}, {'h', "55755"}, {'i', "72227"}, {'j', "11152"},
    {'k', "55655"}, {'l', "44447"}, {'m', "57755"}, {'n', "65555"}, {'o', "25552"}, {'p', "65644"},
    {'q', "25563"}, {'r', "65655"}, {'s', "34216"}, {'t', "72222"}, {'u', "55557"}, {'v', "55552"},
    {'w', "55775"}, {'x', "55255"}, {'y', "55222"}, {'z', "71247"}, {'/', "11244"}, {':', "02020"},
});
constexpr int kScale = 2;  // pixels of the picture for one of the letter

void append_u32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void append_chunk(std::string& png, std::string_view type, std::string_view data) {
  append_u32(png, static_cast<uint32_t>(data.size()));
  const std::string body = std::string(type) + std::string(data);
  png += body;
  append_u32(png, static_cast<uint32_t>(
                      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
}

}  // namespace

void Raster::point(int x, int y, Color color) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  uint8_t* pixel =
      &pixels_[3 * (static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x))];
  pixel[0] = color.red;
  pixel[1] = color.green;
  pixel[2] = color.blue;
}

void Raster::line(double x0, double y0, double x1, double y1, Color color) {
  const int n = static_cast<int>(std::max(std::abs(x1 - x0), std::abs(y1 - y0))) + 1;
  for (int i = 0; i <= n; ++i) {
    const double share = static_cast<double>(i) / n;
    point(static_cast<int>(std::lround(x0 + share * (x1 - x0))),
          static_cast<int>(std::lround(y0 + share * (y1 - y0))), color);
  }
}

void Raster::text(int x, int y, std::string_view text, Color color) {
  for (const char letter : text) {
    const auto* glyph =
        std::find_if(kGlyphs.begin(), kGlyphs.end(), [&](const Glyph& g) { return g.letter == letter; });
    for (int row = 0; glyph != kGlyphs.end() && row < 5 * kScale; ++row) {
      for (int column = 0; column < 3 * kScale; ++column) {
        const int bits = glyph->rows[row / kScale] - '0';
        if ((bits >> (2 - column / kScale) & 1) != 0) point(x + column, y + row, color);
      }
    }
    x += kLetterWidth;
  }
}

std::string Raster::png() const {
  std::string rows;
  const size_t row_bytes = 3 * static_cast<size_t>(width_);
  for (int y = 0; y < height_; ++y) {
    rows.push_back(0);  // no filter
    rows.append(reinterpret_cast<const char*>(&pixels_[static_cast<size_t>(y) * row_bytes]), row_bytes);
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
            static_cast<uLong>(rows.size()), Z_BEST_COMPRESSION);
  packed.resize(size);

  std::string header;
  append_u32(header, static_cast<uint32_t>(width_));
  append_u32(header, static_cast<uint32_t>(height_));
  header += std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB, deflate, no filter method, no interlace
  std::string png = "\x89PNG\r\n\x1a\n";
  append_chunk(png, "IHDR", header);
  append_chunk(png, "IDAT", packed);
  append_chunk(png, "IEND", "");
  return png;
}

}  // namespace plm::train
