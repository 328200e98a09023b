"""Our tokenizer beside Hugging Face `tokenizers` and llama.cpp on generated Unicode text."""

import json
import re
import struct
import subprocess
import unicodedata

import pytest
from conftest import BUILD, ROOT, shared
from unicode_texts import LIMIT, SURROGATES, texts

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers  # noqa: E402

SEED = 20261122

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def deepseek_letters():
    """The letters our source lists; the comparison with llama.cpp below tells whether they are right."""
    source = (ROOT / "src" / "tokenizer" / "deepseek_letters.cpp").read_text()
    return "".join(chr(int(a, 16)) + "-" + chr(int(b, 16))
                   for a, b in re.findall(r"\{0x([0-9A-F]+), 0x([0-9A-F]+)\}", source))


PATTERNS = {
    "qwen2": [QWEN2],
    "llama-bpe": [QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)],
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "deepseek-llm": [r"[\r\n]", rf"\s?[{deepseek_letters()}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$",
                     "[一-龥\u0800-一가-\ud7ff]+", r"\p{N}+"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
}


def run_lines(arguments, strings):
    """Our side: one process for all strings."""
    program = BUILD / "bin" / "tokenize_lines"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    lines = "".join(json.dumps(s) + "\n" for s in strings)
    result = subprocess.run([program, *map(str, arguments)], input=lines.encode(), capture_output=True,
                            check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]  # of bytes: at newlines only


def assert_all_equal(strings, ours, theirs):
    assert len(ours) == len(theirs) == len(strings)
    different = [(s, a, b) for s, a, b in zip(strings, ours, theirs) if a != b]
    assert not different, f"{len(different)} of {len(strings)} differ (seed {SEED}); first: {different[0]!r}"


def qwen2_reference(normalizer):
    folder = shared("tokenizers") / "qwen2"
    reference = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    reference.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    if normalizer:
        reference.normalizer = normalizers.NFC()
    added = json.loads((folder / "added_tokens.json").read_text())
    reference.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in sorted(added, key=added.get)])
    return reference


def newer_marks():
    """Marks that the NFC of `tokenizers` (an older Unicode than its regular expressions) does not know or
    classes otherwise: it leaves them where they stand."""
    nfc = normalizers.NFC()
    found = set()
    for code_point in range(0x300, LIMIT):
        if code_point in SURROGATES or not unicodedata.combining(chr(code_point)):
            continue
        probe = "q\u0315" + chr(code_point) + "\u0327" + chr(code_point) + "\u0334"
        if nfc.normalize_str(probe) != unicodedata.normalize("NFC", probe):
            found.add(code_point)
    return found


@pytest.mark.parametrize("normalizer", ["", "NFC"])
def test_qwen2_ids_equal_hugging_face_tokenizers(normalizer):
    reference = qwen2_reference(normalizer)
    strings = texts(20000, SEED, newer_marks() if normalizer else frozenset())
    strings += ["<|im_start|>user\n" + s + "<|im_end|>" for s in strings[:500]]
    theirs = [e.ids for e in reference.encode_batch(strings, add_special_tokens=False)]
    vocabulary = shared("tokenizers") / "qwen2" / "qwen2-vocab.gguf"
    assert_all_equal(strings, run_lines(["ids", vocabulary, normalizer], strings), theirs)


@pytest.mark.parametrize("name", PATTERNS)
def test_words_equal_the_regular_expressions_of_hugging_face_tokenizers(name):
    reference = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated") for p in PATTERNS[name]])
    strings = texts(20000, SEED + 1)
    theirs = [[word for word, _ in reference.pre_tokenize_str(s)] for s in strings]
    assert_all_equal(strings, run_lines(["words", name], strings), theirs)


def with_pre_tokenizer(vocabulary, name):
    """The bytes of a GGUF vocabulary with another value of tokenizer.ggml.pre."""
    def entry(value):
        key = b"tokenizer.ggml.pre"
        return struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value

    contents = vocabulary.read_bytes()
    assert contents.count(entry(b"qwen2")) == 1
    return contents.replace(entry(b"qwen2"), entry(name.encode()))


def is_read_otherwise_by_llama_cpp(text, pre_tokenizer):
    """llama.cpp's tables are of an older Unicode than those of `tokenizers`; it does not fold the long s of
    "'\u017f"; a C string ends at NUL; and for DeepSeek it takes every blank beyond ASCII out of the other
    classes. We side with `tokenizers`, which the models were trained with."""
    return ("\u017f" in text or "\0" in text or any(unicodedata.category(c) == "Cn" for c in text)
            or (pre_tokenizer == "deepseek-llm" and any(c > "\x7f" and c.isspace() for c in text)))


@pytest.mark.parametrize("name", ["qwen2", "llama-bpe", "gpt-2", "smollm", "default", "deepseek-llm"])
def test_ids_equal_llama_cpp_with_each_pre_tokenizer(name, tmp_path):
    llama_cpp = pytest.importorskip("llama_cpp")
    vocabulary = tmp_path / "vocabulary.gguf"
    vocabulary.write_bytes(with_pre_tokenizer(shared("tokenizers") / "qwen2" / "qwen2-vocab.gguf", name))
    llama = llama_cpp.Llama(str(vocabulary), vocab_only=True, verbose=False)
    strings = [s for s in texts(6000, SEED + 2) if not is_read_otherwise_by_llama_cpp(s, name)]
    theirs = [llama.tokenize(s.encode(), add_bos=False, special=True) for s in strings]
    assert_all_equal(strings, run_lines(["ids", vocabulary], strings), theirs)
