"""Files written by the gguf and safetensors packages, copied by our reader and writer, read by them again."""

import subprocess

import gguf
import numpy as np
import pytest
from conftest import BUILD, shared
from gguf import GGUFEndian, GGUFReader, GGUFValueType, GGUFWriter


def run_copy(source, target):
    program = BUILD / "bin" / "copy_model_file"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    return subprocess.run([program, source, target], capture_output=True, text=True, timeout=60, check=False)


def copy(source, target):
    result = run_copy(source, target)
    assert result.returncode == 0, result.stderr


def write_sample(path, **options):
    """Every scalar type, arrays of numbers, strings and arrays, plain and quantised tensors."""
    random = np.random.default_rng(20260322)
    writer = GGUFWriter(path, "plm", **options)
    writer.add_uint8("t.u8", 255)
    writer.add_int8("t.i8", -128)
    writer.add_uint16("t.u16", 65535)
    writer.add_int16("t.i16", -32768)
    writer.add_uint32("t.u32", 2**32 - 1)
    writer.add_int32("t.i32", -(2**31))
    writer.add_float32("t.f32", 0.1)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "Ġ中😀\n")
    writer.add_uint64("t.u64", 2**64 - 1)
    writer.add_int64("t.i64", -(2**63))
    writer.add_float64("t.f64", 0.1)
    writer.add_array("t.ints", [1, -2, 3])
    writer.add_array("t.floats", [0.5, -1.5])
    writer.add_array("t.bools", [True, False])
    writer.add_array("t.strings", ["", "a", "é" * 100])
    writer.add_array("t.nested", [[1, 2], [3]])
    for kind in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
        writer.add_tensor(f"plain.{np.dtype(kind).name}", (random.standard_normal((2, 3, 5)) * 50).astype(kind))
    for name in ("BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
        kind = gguf.GGMLQuantizationType[name]
        rows = gguf.quants.quantize(random.standard_normal((3, 64)).astype(np.float32), kind)
        writer.add_tensor(f"quantised.{name}", rows, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def assert_same(first, second):
    a, b = GGUFReader(first), GGUFReader(second)
    assert list(a.fields) == list(b.fields)
    for key, field in a.fields.items():
        other = b.fields[key]
        assert field.types == other.types, key
        if field.types and field.types[0] == GGUFValueType.ARRAY and key == "t.nested":
            assert [part.tobytes() for part in field.parts] == [part.tobytes() for part in other.parts]
        else:
            assert field.contents() == other.contents(), key
    assert [t.name for t in a.tensors] == [t.name for t in b.tensors]
    for tensor, other in zip(a.tensors, b.tensors, strict=True):
        assert tensor.tensor_type == other.tensor_type
        assert list(tensor.shape) == list(other.shape)
        assert tensor.data.tobytes() == other.data.tobytes(), tensor.name


@pytest.mark.parametrize("alignment", [None, 8, 4096])
def test_what_we_write_the_gguf_package_reads(tmp_path, alignment):
    source, target = tmp_path / "in.gguf", tmp_path / "out.gguf"
    if alignment is None:
        write_sample(source)
    else:
        plain = tmp_path / "plain.gguf"
        write_sample(plain)
        writer = GGUFWriter(source, "plm")
        writer.add_custom_alignment(alignment)
        for tensor in GGUFReader(plain).tensors:
            writer.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    copy(source, target)
    assert_same(source, target)
    assert source.read_bytes() == target.read_bytes(), "the same bytes, not only the same meaning"


def test_files_split_by_the_gguf_package_are_joined(tmp_path):
    source, target = tmp_path / "in.gguf", tmp_path / "out.gguf"
    write_sample(source, split_max_tensors=4)
    shards = sorted(tmp_path.glob("in-*.gguf"))
    assert len(shards) == 4
    copy(shards[2], target)
    joined = {tensor.name: tensor.data.tobytes() for tensor in GGUFReader(target).tensors}
    parts = {tensor.name: tensor.data.tobytes() for shard in shards for tensor in GGUFReader(shard).tensors}
    assert joined == parts


def test_a_big_endian_file_is_refused_by_that_name(tmp_path):
    source = tmp_path / "big.gguf"
    write_sample(source, endianess=GGUFEndian.BIG)
    result = run_copy(source, tmp_path / "out.gguf")
    assert result.returncode == 1
    assert "a big-endian file, expected a little-endian one" in result.stderr


@pytest.mark.parametrize("name", ["plm-tiny-f32.gguf", "plm-mini256-Q4_K_M.gguf"])
def test_oracle_models_survive_a_copy(tmp_path, name):
    source = shared(f"oracles/{name}")
    copy(source, tmp_path / name)
    assert_same(source, tmp_path / name)


def test_what_we_write_the_safetensors_package_reads(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    random = np.random.default_rng(20260322)
    kinds = (np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_)
    tensors = {np.dtype(kind).name: (random.standard_normal((3, 4)) * 50).astype(kind) for kind in kinds}
    tensors["scalar"] = np.array(1.5, dtype=np.float32)
    tensors["none"] = np.zeros((0, 4), dtype=np.float32)
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    save_file(tensors, source, metadata={"format": "pt", "note": "é"})
    copy(source, target)
    loaded = load_file(target)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype and loaded[name].shape == tensor.shape
        assert loaded[name].tobytes() == tensor.tobytes(), name
    with safe_open(target, framework="numpy") as file:
        assert file.metadata() == {"format": "pt", "note": "é"}
