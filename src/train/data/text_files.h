// Which files hold the text of a source, and how it lies in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace plm::train {

enum class FileForm {
  text,        // plain text
  json_lines,  // an object a line
  json,        // an array of objects, or objects one after the other as in json_lines
};

// What a document is in a plain text file. White space at its ends is dropped, documents of nothing else too.
enum class TextUnit {
  file,       // what lies between lines that hold the separator alone; without any, the whole file
  line,       // as LLaMA-Factory and Hugging Face datasets read text files
  paragraph,  // what lies between empty lines
};

struct TextFormat {
  TextUnit unit = TextUnit::file;
  std::string separator = "<|endoftext|>";
  std::string column = "text";  // of JSON objects: a string
};

struct TextFile {
  std::string path;
  FileForm form = FileForm::text;
  int64_t bytes = 0;
};

// Files as they are named, and folders with everything below them that is named .txt .md .json .jsonl or
// .ndjson, also with .gz or .zst behind it; hidden ones are left out. In the order given, within folders by
// name. Fails with not_found on a name that does not exist and on a folder without such files.
Result<std::vector<TextFile>> find_text_files(const std::vector<std::string>& paths);

}  // namespace plm::train
