"""Times llama.cpp for `plm bench --against llama.cpp`: one request a line on stdin, one answer a line on stdout.

    python llama_cpp_runner.py MODEL.gguf N_THREADS CAPACITY [N_SEQUENCES]
    -> ready {"version": "..", "seconds_to_first_token": 0.6}
    run N_PROMPT N_GENERATE DEPTH [N_SEQUENCES]
    -> seconds 1.234
    memory
    -> bytes 12345

CAPACITY is that of one sequence. A depth that is in the cache already is not filled again. The tokens are those
of bench_token() in src/bench/speed.cpp. Flash attention is off: with it llama.cpp's
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


# As kStartTokens in src/bench/speed.h.
START_TOKENS = 10


def bench_token(sequence, position, vocabulary_size):
    return (position * 7919 + sequence * 104729) % max(1, vocabulary_size * 9 // 10)


def peak_resident_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Runner:
    def __init__(self, path, n_threads, capacity, n_sequences=1):
        llama_cpp.llama_log_set(_silence, ctypes.c_void_p(0))
        start = time.perf_counter()
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), model_params)
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {path}")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        params = llama_cpp.llama_context_default_params()
        # Each sequence has cells of its own.
        params.n_ctx = max(capacity, START_TOKENS) * n_sequences
        params.n_seq_max = n_sequences
        params.kv_unified = False
        params.n_batch = max(2048, U_BATCH)
        params.n_ubatch = U_BATCH
        params.n_threads = params.n_threads_batch = n_threads
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit("llama.cpp makes no context")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(params.n_batch, 0, 1)
        self.n_batch = params.n_batch
        self.positions = [0] * n_sequences
        self.prefill(0, START_TOKENS)
        self.seconds_to_first_token = time.perf_counter() - start
        self.truncate(0, 0)

    def add(self, sequence, wants_logits):
        """The next token of a sequence, into the batch."""
        batch, i = self.batch, self.batch.n_tokens
        batch.token[i] = bench_token(sequence, self.positions[sequence], self.vocabulary)
        batch.pos[i] = self.positions[sequence]
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = sequence
        batch.logits[i] = int(wants_logits)
        batch.n_tokens += 1
        self.positions[sequence] += 1

    def decode(self):
        if llama_cpp.llama_decode(self.context, self.batch) != 0:
            raise SystemExit("llama_decode failed")
        self.batch.n_tokens = 0

    def step(self):
        self.decode()
        llama_cpp.llama_synchronize(self.context)

    def prefill(self, sequence, n, logits_of_last=True):
        """n more tokens in batches, as llama-bench feeds a prompt."""
        while n > 0:
            now = min(n, self.n_batch)
            for i in range(now):
                self.add(sequence, logits_of_last and i == now - 1)
            self.decode()
            n -= now
        llama_cpp.llama_synchronize(self.context)

    def truncate(self, sequence, n):
        llama_cpp.llama_memory_seq_rm(self.memory, sequence, n, -1)
        self.positions[sequence] = n

    def run(self, n_prompt, n_generate, depth, n_sequences=1):
        for sequence in range(n_sequences):
            if self.positions[sequence] > depth:
                self.truncate(sequence, depth)
            self.prefill(sequence, depth - self.positions[sequence], logits_of_last=False)
        start = time.perf_counter()
        for sequence in range(n_sequences):
            self.prefill(sequence, n_prompt)
        for _ in range(n_generate):
            for sequence in range(n_sequences):
                self.add(sequence, True)
            self.step()
        seconds = time.perf_counter() - start
        for sequence in range(n_sequences):
            self.truncate(sequence, depth)
        return seconds


def main():
    runner = Runner(sys.argv[1], *map(int, sys.argv[2:5]))
    ready = {
        "version": f"llama-cpp-python {llama_cpp.__version__}",
        "seconds_to_first_token": runner.seconds_to_first_token,
    }
    print("ready", json.dumps(ready), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "run":
            print("seconds", runner.run(*map(int, words[1:5])), flush=True)
        elif words[0] == "memory":
            print("bytes", peak_resident_bytes(), flush=True)


if __name__ == "__main__":
    main()
