"""`plm train-tokenizer` beside Hugging Face `tokenizers`: the same merges, and folders both read alike."""

import json

import pytest
from conftest import shared
from test_tokenizer_differential import QWEN2
from unicode_texts import texts

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers  # noqa: E402

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SIZE = 2000


def train_reference(documents, size, nfc):
    reference = Tokenizer(models.BPE())
    if nfc:
        reference.normalizer = normalizers.NFC()
    reference.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    # Without special tokens: theirs come first, ours last, which changes no merge.
    reference.train_from_iterator(documents, trainers.BpeTrainer(
        vocab_size=size - len(SPECIALS), min_frequency=2, show_progress=False, special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return reference


def valid(strings):
    return [s for s in strings if s == s.encode("utf-8", "ignore").decode() and s.strip()]


@pytest.fixture(scope="module")
def documents():
    stories = shared("data") / "text" / "pratham" / "stories.txt"
    found = [d.strip() for d in stories.read_text().split("<|endoftext|>\n")]
    mixed = "\n".join(valid(texts(3000, seed=7)))
    return [d.strip(" \t\r\n\f\v") for d in found + [mixed] if d.strip()]


@pytest.mark.parametrize("nfc", [False, True])
def test_merges_are_those_of_tokenizers(plm, documents, tmp_path, nfc):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": d}) + "\n" for d in documents))
    plm.ok("train-tokenizer", "--vocab-size", SIZE, "-o", tmp_path / "ours", corpus, *(["--nfc"] if nfc else []))
    reference = json.loads(train_reference(documents, SIZE, nfc).to_str())
    ours = json.loads((tmp_path / "ours" / "tokenizer.json").read_text())
    theirs = [m if isinstance(m, str) else " ".join(m) for m in reference["model"]["merges"]]
    assert len(theirs) == SIZE - 256 - len(SPECIALS)
    assert ours["model"]["merges"] == theirs
    assert ours["model"]["vocab"] == reference["model"]["vocab"]


def test_both_read_the_folder_alike(plm, documents, tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": d}) + "\n" for d in documents))
    folder = tmp_path / "ours"
    plm.ok("train-tokenizer", "--vocab-size", SIZE, "-o", folder, corpus)
    loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert [loaded.token_to_id(s) for s in SPECIALS] == [SIZE - 3, SIZE - 2, SIZE - 1]
    plain = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    plain.pre_tokenizer = loaded.pre_tokenizer

    # Our side: every document prepared, its tokens read from the shard.
    sample = documents[:200]
    lines = tmp_path / "sample.jsonl"
    lines.write_text("".join(json.dumps({"text": d}) + "\n" for d in sample))
    plm.ok("prepare", "--tokenizer", folder, "-o", tmp_path / "shards", "--keep-duplicates", lines)
    ids = read_shard(tmp_path / "shards" / "text" / "training-00000.tokens")
    assert ids == [loaded.encode(d).ids + [SIZE - 3] for d in sample]
    assert [i[:-1] for i in ids] == [plain.encode(d).ids for d in sample]


def read_shard(path):
    """The documents of a token shard, by the description in docs/formats/token-shards.md."""
    data = path.read_bytes()
    assert data[:8] == b"PLMSHARD"
    width = int.from_bytes(data[12:16], "little")
    n_tokens = int.from_bytes(data[16:24], "little")
    n_documents = int.from_bytes(data[24:32], "little")
    tokens = memoryview(data[128:128 + width * n_tokens]).cast("H" if width == 2 else "I")
    begin = 128 + (width * n_tokens + 7) // 8 * 8
    starts = [*memoryview(data[begin:begin + 8 * n_documents]).cast("Q"), n_tokens]
    return [list(tokens[a:b]) for a, b in zip(starts, starts[1:])]
