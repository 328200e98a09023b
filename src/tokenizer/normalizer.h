// Unicode normalisation to composed form (NFC), for vocabularies trained on normalised text.
#pragma once

#include <string>
#include <string_view>

namespace plm::tokenizer {

// False for most text, found out in one quick pass: then nfc(text) would equal text. True means "perhaps".
bool may_change_under_nfc(std::string_view text);

// `text` in NFC. Bytes that are not UTF-8 stay as they are and separate what is normalised.
std::string nfc(std::string_view text);

}  // namespace plm::tokenizer
