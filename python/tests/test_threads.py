"""Several threads, Ctrl-C, and fork."""

import concurrent.futures
import os
import signal
import threading
import time

import plm
import pytest

# A machine under load is slow; what is tested is that these come before the work would end by itself.
PATIENCE = 60


def test_threads_get_the_answers_of_one():
    prompts = ["Once upon a time", "The dog", "In the morning", "One day the king"] * 4
    with plm.Model(n_ctx=128, n_threads=2, n_parallel=3) as model:
        alone = [model.generate(prompt, max_tokens=12, temperature=0).text for prompt in prompts[:4]]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda prompt: model.generate(prompt, max_tokens=12, temperature=0).text, prompts))
    assert together == alone * 4


def test_threads_may_share_a_stream(model):
    stream = model.generate("Once upon a time", max_tokens=60, temperature=0, ignore_eos=True, stream=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: list(stream), range(4)))
    texts = [piece.text for part in parts for piece in part]
    assert sorted(texts) == sorted(piece.text for piece in _again(model))


def _again(model):
    return model.generate("Once upon a time", max_tokens=60, temperature=0, ignore_eos=True, stream=True)


@pytest.mark.parametrize("name", ["score", "embed", "generate"])
def test_other_threads_run_while_the_model_works(model, name):
    """The work gives up the interpreter's lock: without, nobody could stop it."""
    work = getattr(_Endless(model), name)
    is_over = threading.Event()

    def stop():
        while not is_over.wait(0.01):
            model.stop_all()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(plm.CancelledError):
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                work()
    finally:
        is_over.set()
        stopper.join()


def test_stop_all_ends_what_another_thread_waits_for(fresh_model):
    # One place, taken by a stream that nobody reads; the call waits behind it or is under way itself.
    stream = fresh_model.generate("A", ignore_eos=True, stream=True)
    next(stream)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: fresh_model.generate("B", ignore_eos=True))
        while not waiting.done():
            fresh_model.stop_all()
        with pytest.raises(plm.CancelledError):
            waiting.result(PATIENCE)
    assert fresh_model.generate("Once upon a time", max_tokens=2, temperature=0).text == ", he"


class _Endless:
    """Work that goes on until it is interrupted: the model, once more for each time it has ended."""

    def __init__(self, model):
        self.generate = lambda: model.generate("A", ignore_eos=True)
        self.stream = lambda: list(model.generate("A", ignore_eos=True, stream=True))
        self.score = lambda: model.score([5] * 256)
        self.embed = lambda: model.embed(["a dog ran home " * 10] * 50)


@pytest.mark.parametrize("name", ["generate", "stream", "score", "embed"])
def test_ctrl_c_stops_it(model, name):
    work = getattr(_Endless(model), name)
    work()  # it works
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            work()
    timer.join()
    # And the model is as good as before.
    assert model.generate("Once upon a time", max_tokens=2, temperature=0).text == ", he"


def test_what_a_signal_handler_raises_reaches_the_caller(model):
    class Alarm(Exception):
        pass

    def ring(number, frame):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Alarm):
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                model.embed(["a dog ran home " * 10] * 500)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_forked_child_is_told_and_ends(model):
    stream = model.generate("A", max_tokens=3, stream=True)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for ask in (lambda: model.generate("A", max_tokens=1), lambda: next(stream), lambda: model.embed("A")):
                try:
                    ask()
                except plm.UnsupportedError:
                    continue
                break
            else:
                code = 0
            del stream
            model.close  # noqa: B018
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len([token for piece in stream for token in piece.tokens]) == 3
