"""The same model with every tensor as float32: what a quantised model's logits are measured against."""

import gguf
import numpy as np


def write_f32_copy(source, target, changes=None):
    """Copies a GGUF file with all metadata, its tensors dequantised by the gguf package, plus `changes` by name."""
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(target, architecture)
    for field in reader.fields.values():
        # GGUF.* is the header, which the writer makes anew, like the architecture.
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        values = values.reshape(tensor.shape[::-1])
        for change in (changes or {}).get(tensor.name, []):
            values = (values + change).astype(np.float32)
        writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
