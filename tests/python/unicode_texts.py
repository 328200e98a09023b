"""Generated texts for tokenizer tests: every plane, marks, emoji, blanks, digits, contractions; valid Unicode."""

import random

LIMIT = 0x110000
SURROGATES = range(0xD800, 0xE000)

# Where pre-tokenizers and merges make their decisions.
BLANKS = [" ", " ", " ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", " \n", "\v", "\f", "\x85", "\xa0",
          "\u1680", "\u2000", "\u2009", "\u2028", "\u2029", "\u202f", "\u3000", "\u200b", "\ufeff", "\x1c", "\x00"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'Re", "'VE", "'lL", "'", "'x", "’s", "'\u017f",
                "'\u212a"]
WORDS = ["the", "Hello", "world", "token", "I", "don", "naïve", "Straße", "ΑΒΓ", "привет", "你好", "世界", "한국어",
         "ひらがな", "مرحبا", "नमस्ते", "สวัสดี", "int", "return", "_x", "__init__", "http", "e\u0301", "A\u030a",
         "ﬁ", "Å", "\u1100\u1161\u11a8", "กำ", "ǅ"]
SYMBOLS = list("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "!!!", "——", "«", "」", "…", "€", "±", "«»", "。", "，"]
NUMBERS = ["0", "7", "42", "333", "2024", "3.14", "1,000,000", "½", "²", "Ⅷ", "٣", "१२३", "㊿", "𝟘", "𐄇"]
EMOJI = ["😀", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "👍🏽", "🇩🇪", "✅", "☺\ufe0f", "1\ufe0f\u20e3"]
POOLS = [BLANKS, CONTRACTIONS, WORDS, SYMBOLS, NUMBERS, EMOJI]
# Dense or interesting stretches of code points, then everything.
STRETCHES = [(0x20, 0x7F), (0x80, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x780), (0x900, 0xE00),
             (0x1100, 0x1200), (0x1AB0, 0x1B00), (0x1E00, 0x2000), (0x2000, 0x2C00), (0x3000, 0x3200),
             (0x4E00, 0xA000), (0xAC00, 0xD7B0), (0xF900, 0xFB00), (0xFE00, 0x10000), (0x10000, 0x11000),
             (0x11000, 0x12000), (0x16000, 0x17000), (0x1B000, 0x1B300), (0x1D000, 0x1E000), (0x1E000, 0x1F000),
             (0x1F000, 0x1FB00), (0x20000, 0x32400), (0xE0000, 0xE0200), (0, LIMIT)]


def texts(count, seed, excluded=frozenset()):
    """`count` texts; code points of `excluded` do not occur among those drawn by number."""
    draw = random.Random(seed)

    def character():
        while True:
            code_point = draw.randrange(*draw.choice(STRETCHES))
            if code_point not in SURROGATES and code_point not in excluded:
                return chr(code_point)

    def part():
        kind = draw.random()
        if kind < 0.65:
            return draw.choice(draw.choice(POOLS))
        if kind < 0.95:
            return character()
        return "".join(character() for _ in range(draw.randrange(1, 8)))

    return ["".join(part() for _ in range(draw.randrange(1, 24))) for _ in range(count)]
