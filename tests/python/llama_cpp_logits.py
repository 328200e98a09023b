"""Logits by llama.cpp, through the low-level interface of llama-cpp-python."""

import ctypes

import llama_cpp
import numpy as np


@llama_cpp.llama_log_callback
def _silence(_level, _text, _user_data):
    pass


llama_cpp.llama_log_set(_silence, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def logits(model_path, ids, cache_type=llama_cpp.GGML_TYPE_F32, adapters=()):
    """float32 [T, vocabulary]: the logits after each of ids, in one batch. adapters: (path, strength)."""
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(str(model_path).encode(), model_params)
    if not model:
        raise ValueError(f"llama.cpp does not load {model_path}")
    try:
        return _logits_of(model, ids, cache_type, adapters)
    finally:
        llama_cpp.llama_model_free(model)


def _add_adapters(model, context, adapters):
    loaded = []
    for path, _ in adapters:
        adapter = llama_cpp.llama_adapter_lora_init(model, str(path).encode())
        if not adapter:
            raise ValueError(f"llama.cpp does not load {path}")
        loaded.append(adapter)
    pointers = (llama_cpp.llama_adapter_lora_p_ctypes * len(loaded))(*loaded)
    strengths = (ctypes.c_float * len(loaded))(*(strength for _, strength in adapters))
    if llama_cpp.llama_set_adapters_lora(context, pointers, len(loaded), strengths) != 0:
        raise ValueError("llama.cpp does not take the adapters")


def _logits_of(model, ids, cache_type, adapters):
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = max(64, len(ids))
    params.n_threads = params.n_threads_batch = 2
    params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.type_k = params.type_v = cache_type
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        raise ValueError("llama.cpp makes no context")
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    try:
        if adapters:
            _add_adapters(model, context, adapters)
        batch.n_tokens = len(ids)
        for position, token in enumerate(ids):
            batch.token[position] = int(token)
            batch.pos[position] = position
            batch.n_seq_id[position] = 1
            batch.seq_id[position][0] = 0
            batch.logits[position] = 1
        if llama_cpp.llama_decode(context, batch) != 0:
            raise ValueError("llama_decode failed")
        n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        flat = llama_cpp.llama_get_logits(context)
        return np.ctypeslib.as_array(flat, shape=(len(ids), n_vocab)).copy()
    finally:
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
