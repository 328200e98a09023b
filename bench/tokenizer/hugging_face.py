"""The speed of Hugging Face `tokenizers` on a text, one thread: what tokenizer_bench is to be compared with.

    python bench/tokenizer/hugging_face.py FOLDER TEXT

FOLDER holds vocab.json and merges.txt of Qwen2.
"""

import os
import sys
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers  # noqa: E402

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")


def main(folder, text_path):
    reference = Tokenizer(models.BPE.from_file(str(Path(folder) / "vocab.json"), str(Path(folder) / "merges.txt")))
    reference.normalizer = normalizers.NFC()
    reference.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    data = Path(text_path).read_bytes()
    text = data.decode()
    # Whole, and in pieces of about a page: `tokenizers` keeps offsets of everything and slows on long texts.
    lines = text.splitlines(keepends=True)
    pages = ["".join(lines[i : i + 50]) for i in range(0, len(lines), 50)]
    for name, pieces in (("whole", [text]), ("pages", pages)):
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            for piece in pieces:
                reference.encode(piece)
            best = min(best, time.perf_counter() - start)
        print(f"tokenizers, {name}: {len(data) / best / 1e6:.1f} MB/s")


if __name__ == "__main__":
    main(*sys.argv[1:])
