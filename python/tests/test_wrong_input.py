"""Whatever is given wrong is one line that names it, of the right kind; nothing is taken for something else."""

import math
import os
import shutil
import signal
import types

import plm
import pytest

HALF = "a\udcff"  # half of a surrogate pair
Invalid = plm.InvalidArgumentError
USER = {"role": "user", "content": "Tell me of a dog."}


def refused(kind, ask, *arguments, **options):
    """What the error says."""
    with pytest.raises(kind) as caught:
        ask(*arguments, **options)
    assert isinstance(caught.value, TypeError) or isinstance(caught.value, plm.Error)
    text = str(caught.value)
    assert text and "\n" not in text and "incompatible" not in text, text
    return text


@pytest.mark.parametrize(
    ("option", "kinds"),
    [
        ("path", {TypeError: (5, []), Invalid: ("", "a\0b", "\ud800"), plm.InputOutputError: ("/dev/null", os.sep)}),
        ("n_ctx", {TypeError: ("8", 1.5, None), Invalid: (-1, 2**62, 2**64)}),
        ("n_threads", {TypeError: (None,), Invalid: (-1, 2**31)}),
        ("n_batch", {TypeError: ("1",), Invalid: (0, 65537)}),
        ("n_parallel", {TypeError: (1.0,), Invalid: (0, 257, 2**40)}),
        ("cache_type", {TypeError: (16,), Invalid: ("q4_0", HALF)}),
        ("chat_template", {TypeError: (3,), Invalid: ("{% nonsense", "nonsense", HALF)}),
        ("lora", {TypeError: ("file", 3, [3], [("file",)], [("file", "1")]), Invalid: ([("file", math.nan)], [""])}),
        ("prefix_cache_bytes", {TypeError: ("1",), Invalid: (-1, 2**63)}),
        ("prompt_lookup", {TypeError: ("yes", None)}),
        ("draft_model", {TypeError: (3,), Invalid: ("",), plm.NotFoundError: ("no such file",)}),
    ],
)
def test_options_of_loading(option, kinds):
    for kind, values in kinds.items():
        for value in values:
            refused(kind, plm.Model, **{option: value})


@pytest.mark.parametrize(
    ("option", "kinds"),
    [
        ("max_tokens", {TypeError: ("5", 1.5), Invalid: (-1, 2**63)}),
        ("temperature", {TypeError: ("1", None), Invalid: (math.nan, math.inf, 10**400)}),
        ("top_k", {TypeError: (1.5,), Invalid: (2**31,)}),
        ("top_p", {TypeError: (b"1",), Invalid: (-1, math.nan)}),
        ("repeat_last_n", {Invalid: (-2, 2**31)}),
        ("seed", {TypeError: ("a", 1.5), Invalid: (-1, 2**64)}),
        ("logit_bias", {TypeError: ([1], {"1": 1}, {1: "a"}), Invalid: ({-1: 1}, {2**40: 1}, {1: math.nan})}),
        ("grammar", {TypeError: (3,), Invalid: ("", HALF, "root ::= root")}),
        ("regex", {TypeError: (3,), Invalid: ("", HALF, "(")}),
        ("json_schema", {TypeError: ({"a": object()},), Invalid: ("", "{", 3, {"const": HALF}, math.nan)}),
        ("stop", {TypeError: (3, ["a", 3], b"a"), Invalid: (HALF, ["a", HALF])}),
        ("logprobs", {TypeError: ("a", 1.5), Invalid: (-1, 2**40)}),
        ("ignore_eos", {TypeError: ("yes", None, 1)}),
        ("special", {TypeError: (3,)}),
        ("parse_special", {TypeError: (None,)}),
    ],
)
def test_options_of_answers(model, option, kinds):
    for kind, values in kinds.items():
        for value in values:
            text = refused(kind, model.generate, "A dog", **{option: value})
            assert option.split("_")[0] in text.replace("-", "_") or option == "grammar", text


def test_none_is_as_good_as_not_given(model):
    names = ("max_tokens", "stop", "seed", "logit_bias", "grammar", "json_schema", "regex", "logprobs")
    options = {"temperature": 0, "stop": "."}
    assert model.generate("A", **dict.fromkeys(names), **{"temperature": 0}).text.startswith(
        model.generate("A", **options).text
    )


def test_texts_and_token_ids(model):
    embed = lambda text: model.embed([text])  # noqa: E731
    for ask in (model.generate, model.score, embed):
        for wrong in (None, 3, b"hi", bytearray(b"hi"), {"a": 1}, object(), [1.5], ["a"], [None]):
            refused(TypeError, ask, wrong)
        for wrong in (HALF, [], [-1], [model.n_vocab], [2**40], "word " * 1000):
            refused(Invalid, ask, wrong)
    for wrong in (None, 3, b"hi", ["hi"]):
        refused(TypeError, model.tokenize, wrong)
    refused(Invalid, model.tokenize, HALF)
    for wrong in (None, 3, "abc", b"abc", [1.5]):
        refused(TypeError, model.detokenize, wrong)
    for wrong in ([-1], [model.n_vocab], [2**40]):
        refused(Invalid, model.detokenize, wrong)
    for wrong in (b"hi", 3, None, {"a": 1}):
        refused(TypeError, model.embed, wrong)
    assert model.embed([]) == []
    refused(Invalid, model.score, "a", n_top=-1)
    refused(TypeError, model.score, "a", n_top="1")
    refused(TypeError, model.embed, "a", normalize=None)


def test_conversations(model):
    for wrong in (None, 3, "hi", USER, [object()], [{"role": "user", "content": b"hi"}]):
        refused(TypeError, model.chat, wrong)
    for wrong in ([], ["hi"], [{}], [{"role": 3}], [{"role": "user", "content": HALF}], [{"role": "user", "content": math.nan}]):
        refused(Invalid, model.chat, wrong)
    for option in ("tools", "template_variables"):
        for wrong in (3, "x"):
            assert option in refused(TypeError, model.chat, [USER], **{option: wrong})
    refused(Invalid, model.chat, [USER], tools=[{}])
    refused(TypeError, model.chat_prompt, [USER], add_generation_prompt="yes")
    for given in ("messages", "tools", "add_generation_prompt"):
        assert given in refused(Invalid, model.chat, [USER], template_variables={given: []})
    knot = {}
    knot["knot"] = knot
    refused(Invalid, model.chat, [USER], template_variables=knot)
    # Any mapping will do, as the types say.
    assert model.chat_prompt((types.MappingProxyType(USER),)) == model.chat_prompt([USER])


def test_what_is_no_regular_file_is_not_replaced_by_a_session(model, tmp_path):
    model.generate("A dog", max_tokens=1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        refused(plm.InputOutputError, model.save_session, place)
    assert os.listdir(tmp_path) == ["pipe"] and pipe.is_fifo()
    for wrong in ("", f"{tmp_path}/a\0b"):
        refused(Invalid, model.save_session, wrong)
        refused(Invalid, model.load_session, wrong)
    refused(TypeError, model.save_session, None)


def test_names_of_files_need_not_be_utf8(model, tmp_path):
    odd = os.path.join(tmp_path, "\udcff.gguf")
    shutil.copy(model.path, odd)
    with plm.Model(odd, n_ctx=32, draft_model=odd) as other:
        assert other.path == odd and repr(odd) in repr(other)
        other.generate("A", max_tokens=1)
        saved = other.save_session(odd + ".session")
        assert other.load_session(odd + ".session") == saved


def test_a_signal_during_a_stream_stops_it():
    """Also where the exception's traceback keeps the stream."""

    class Alarm(Exception):
        pass

    def ring(_, frame):
        if frame.f_code.co_filename.endswith("stream.py"):
            raise Alarm
        signal.setitimer(signal.ITIMER_REAL, 0.01)  # not while somebody reads

    with plm.Model(n_ctx=100_000, n_threads=1) as model:
        stream = model.generate("A dog", ignore_eos=True, stream=True)
        before = signal.signal(signal.SIGALRM, ring)
        try:
            with pytest.raises(Alarm):
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                list(stream)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        for _ in stream:
            pass
        assert stream.answer.finish_reason == "stopped"


def test_a_child_of_fork_may_leave_what_it_got(model):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"wrong"
        try:
            with model, model.generate("A", stream=True) as _:
                pass
        except plm.UnsupportedError:  # of generate: its threads are not here
            said = repr(model).encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    said = os.read(reader, 1000)
    os.close(reader)
    os.waitpid(child, 0)
    assert said == b"<plm.Model, closed>"
    assert model.generate("A", max_tokens=1).finish_reason == "max_tokens"
