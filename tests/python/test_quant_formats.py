"""Every block format against the `gguf` Python package: decode and, where it has one, encode, bit for bit.

The C++ side is the filter `format_pipe` of the build tree (PLM_BUILD_DIR, by default build/).
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

gguf = pytest.importorskip("gguf")
from gguf.quants import dequantize, quantize  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PIPE = Path(os.environ.get("PLM_BUILD_DIR", ROOT / "build")) / "bin" / "format_pipe"

DECODED = "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS".split()
ENCODED_ALIKE = "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1".split()
SEARCHED = "Q2_K Q3_K Q4_K Q5_K Q6_K".split()
# Where the f16 numbers of a block begin, so that random bytes can be kept clear of NaN and infinity.
HALF_OFFSETS = {
    "F16": [0], "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}  # fmt: skip

pytestmark = pytest.mark.skipif(not PIPE.exists(), reason=f"{PIPE} is not built")


def kind(name):
    return gguf.GGMLQuantizationType[name]


def pipe(direction, name, data):
    run = subprocess.run([PIPE, direction, name], input=data.tobytes(), capture_output=True, check=True)
    return np.frombuffer(run.stdout, dtype=np.float32 if direction == "decode" else np.uint8)


def random_blocks(rng, name, n_blocks):
    size = gguf.GGML_QUANT_SIZES[kind(name)][1]
    blocks = rng.integers(0, 256, (n_blocks, size), dtype=np.uint8)
    for offset in HALF_OFFSETS.get(name, []):
        high = blocks[:, offset + 1]
        blocks[:, offset + 1] = np.where((high & 0x7C) == 0x7C, high ^ 0x40, high)
    if name == "BF16":
        high = blocks[:, 1]
        blocks[:, 1] = np.where((high & 0x7F) == 0x7F, high ^ 0x40, high)
    return blocks


def random_rows(rng, n_rows, length=1024):
    """Rows of several shapes and sizes: Gaussian, heavy tailed, one sided, sparse, constant, tiny, large."""
    x = rng.standard_normal((n_rows, length)).astype(np.float32)
    x *= np.exp2(rng.integers(-30, 16, (n_rows, 1))).astype(np.float32)
    x[1::8] **= 3
    x[2::8] = np.abs(x[2::8])
    x[3::8] *= rng.random((x[3::8].shape)) < 0.05
    x[4::8] = x[4::8, :1]
    x[5::8] = np.round(x[5::8] / np.abs(x[5::8]).max() * 7)  # ties and exact codes
    x[6::8] = 0
    return np.clip(x, -6e4, 6e4) + 0.0  # no -0: which of two zeros is NumPy's minimum depends on its SIMD path


def assert_same_bits(ours, theirs):
    ours, theirs = ours.view(np.uint8).ravel(), np.ascontiguousarray(theirs).view(np.uint8).ravel()
    assert ours.size == theirs.size
    differing = np.flatnonzero(ours != theirs)
    assert differing.size == 0, f"{differing.size} bytes differ, the first at {differing[0]}"


@pytest.mark.parametrize("name", DECODED)
def test_decode_equals_gguf_on_random_blocks(name):
    blocks = random_blocks(np.random.default_rng(1), name, 20000)
    assert_same_bits(pipe("decode", name, blocks), dequantize(blocks, kind(name)))


@pytest.mark.parametrize("name", ENCODED_ALIKE)
def test_encode_equals_gguf(name):
    rows = random_rows(np.random.default_rng(2), 800)
    assert_same_bits(pipe("encode", name, rows), quantize(rows, kind(name)))


@pytest.mark.parametrize("name", SEARCHED)
def test_what_the_search_writes_gguf_reads_alike(name):
    rows = random_rows(np.random.default_rng(3), 64)
    blocks = pipe("encode", name, rows).reshape(rows.shape[0], -1)
    decoded = dequantize(blocks, kind(name))
    assert np.isfinite(decoded).all()
    assert_same_bits(pipe("decode", name, blocks), decoded)
