"""Writes tests/data/quant: what the `gguf` Python package makes of the same numbers and blocks.

    python tools/make_quant_goldens.py

For each format T: decode_T.bin holds 4 super-blocks (or 32 blocks, or 256 numbers) of random bytes followed
by their values as float32. For formats the package encodes: encode_T.bin, 256 float32 numbers followed by
their blocks.
"""

from pathlib import Path

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "quant"
# Where the f16 numbers of a block begin, so that random bytes can be kept clear of NaN and infinity.
HALF_OFFSETS = {
    "F16": [0], "BF16": [0], "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}  # fmt: skip
ENCODED = "F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1".split()


def random_blocks(rng, name):
    elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    count = {1: 256, 32: 32, 256: 4}[elements]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in HALF_OFFSETS[name]:
        exponent = 0x7F if name == "BF16" else 0x7C
        high = blocks[:, offset + 1]
        blocks[:, offset + 1] = np.where((high & exponent) == exponent, high ^ 0x40, high)
    return blocks


def numbers(rng):
    x = rng.standard_normal(256).astype(np.float32)
    x[32:64] *= 1e-3
    x[64:96] = np.abs(x[64:96]) * 100
    x[96:128] = 0
    x[128:160] = x[128]
    x[160:192] = np.arange(-16, 16) * 0.25  # ties
    return x


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    for name in HALF_OFFSETS:
        kind = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(rng, name)
        values = dequantize(blocks, kind).astype(np.float32)
        (FOLDER / f"decode_{name}.bin").write_bytes(blocks.tobytes() + values.tobytes())
        if name in ENCODED:
            x = numbers(rng)
            (FOLDER / f"encode_{name}.bin").write_bytes(x.tobytes() + quantize(x, kind).tobytes())


if __name__ == "__main__":
    main()
