#!/usr/bin/env python3
"""Lays out the texts of the proof run: tools/proof_text.py DATA_FOLDER OUT_FOLDER

OUT/books: the training books that are free everywhere (us_pd_only left out); OUT/stories: both story collections without
every twentieth story; OUT/valid: those stories and the beginning (40 kB, whole paragraphs) of the five held-out books;
OUT/valid-full.txt: the five books whole, for comparisons with other models.
"""
import json
import sys
from pathlib import Path

data, out = Path(sys.argv[1]), Path(sys.argv[2])
for name in ("books", "stories", "valid"):
    (out / name).mkdir(parents=True, exist_ok=True)
full = []
for line in (data / "gutenberg_simple/manifest.jsonl").read_text().splitlines():
    book = json.loads(line)
    text = (data / "gutenberg_simple/txt" / book["file"]).read_text()
    if book["split"] == "train":
        if not book["us_pd_only"]:
            (out / "books" / book["file"]).write_text(text)
        continue
    full.append(text.strip())
    (out / "valid" / book["file"]).write_text(text[:40000].rsplit("\n\n", 1)[0] + "\n")
(out / "valid-full.txt").write_text("\n\n".join(full) + "\n")
mark = "\n<|endoftext|>\n"
for name in ("african_storybook", "pratham"):
    stories = [s.strip() for s in (data / "text" / name / "stories.txt").read_text().split("<|endoftext|>") if s.strip()]
    (out / "stories" / f"{name}.txt").write_text(mark.join(s for i, s in enumerate(stories) if i % 20) + "\n")
    (out / "valid" / f"{name}.txt").write_text(mark.join(stories[::20]) + "\n")
for name in ("books", "stories", "valid"):
    files = list((out / name).iterdir())
    print(name, len(files), "files", sum(f.stat().st_size for f in files), "bytes")
