"""GGUF files made from others by the gguf package."""

import gguf
import numpy as np


def changed(source, out, change):
    """A copy of a GGUF file by the gguf package; change(key or tensor, value) says what becomes of each."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(out, "plm")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        value = change(key, field.contents())
        if value is not None:
            kind = field.types[0]
            writer.add_key_value(key, value, kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        data = change(tensor.name, np.array(tensor.data))
        if data is not None:
            writer.add_tensor(tensor.name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
