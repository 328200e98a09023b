"""Times llama.cpp for `plm bench --against llama.cpp`: one request a line on stdin, one answer a line on stdout.

    python llama_cpp_runner.py MODEL.gguf N_THREADS CAPACITY
    -> ready {"version": ".."}
    run N_PROMPT N_GENERATE DEPTH
    -> seconds 1.234
    memory
    -> bytes 12345

The tokens are those of bench_token() in src/bench/speed.cpp. Flash attention is off: with it llama.cpp's
plm graph aborts. The cache is f16, llama.cpp's default.
"""

import ctypes
import json
import resource
import sys
import time

import llama_cpp

U_BATCH = 512


@llama_cpp.llama_log_callback
def _silence(_level, _text, _user_data):
    pass


def bench_token(position, vocabulary_size):
    return position * 7919 % max(1, vocabulary_size * 9 // 10)


def peak_resident_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Runner:
    def __init__(self, path, n_threads, capacity):
        llama_cpp.llama_log_set(_silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), model_params)
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {path}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = capacity
        params.n_batch = max(2048, U_BATCH)
        params.n_ubatch = U_BATCH
        params.n_threads = params.n_threads_batch = n_threads
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit("llama.cpp makes no context")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.batch = llama_cpp.llama_batch_init(params.n_batch, 0, 1)
        self.n_batch = params.n_batch
        self.position = 0

    def decode(self, n, logits_of_last=True):
        """n more tokens in batches, as llama-bench feeds a prompt."""
        while n > 0:
            now = min(n, self.n_batch)
            batch = self.batch
            batch.n_tokens = now
            for i in range(now):
                batch.token[i] = bench_token(self.position + i, self.vocabulary)
                batch.pos[i] = self.position + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = int(logits_of_last and i == now - 1)
            if llama_cpp.llama_decode(self.context, batch) != 0:
                raise SystemExit("llama_decode failed")
            self.position += now
            n -= now
        llama_cpp.llama_synchronize(self.context)

    def truncate(self, n):
        llama_cpp.llama_memory_seq_rm(self.memory, 0, n, -1)
        self.position = n

    def run(self, n_prompt, n_generate, depth):
        if self.position > depth:
            self.truncate(depth)
        self.decode(depth - self.position, logits_of_last=False)
        start = time.perf_counter()
        self.decode(n_prompt)
        for _ in range(n_generate):
            self.decode(1)
        seconds = time.perf_counter() - start
        self.truncate(depth)
        return seconds


def main():
    runner = Runner(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print("ready", json.dumps({"version": f"llama-cpp-python {llama_cpp.__version__}"}), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "run":
            print("seconds", runner.run(*map(int, words[1:4])), flush=True)
        elif words[0] == "memory":
            print("bytes", peak_resident_bytes(), flush=True)


if __name__ == "__main__":
    main()
