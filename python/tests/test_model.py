"""Everything else that can be asked of a model, and how it ends."""

import copy
import math
import os
import pickle

import plm
import pytest


def test_it_tells_what_it_is(model):
    assert model.architecture == "plm"
    assert model.n_ctx == 256
    assert model.n_vocab > 1000
    assert model.n_embd > 0
    assert 1 <= model.n_threads <= 2
    assert model.cache_type in ("f16", "bf16")
    assert model.cache_bytes_per_token > 0
    assert os.path.exists(model.path)
    assert "256 tokens" in repr(model)


def test_options_of_loading_are_heard(model):
    with plm.Model(model.path, n_ctx=64, n_threads=1, n_batch=16, n_parallel=2, cache_type="f32") as other:
        assert (other.n_ctx, other.n_threads, other.cache_type) == (64, 1, "f32")
        assert other.generate("Once upon a time", max_tokens=4, temperature=0).text == ", he was very"


@pytest.mark.parametrize(
    ("options", "kind", "also"),
    [
        ({"path": "no such file.gguf"}, plm.NotFoundError, FileNotFoundError),
        ({"path": __file__}, plm.BadDataError, ValueError),
        ({"path": b"\xff\xfe.gguf"}, plm.NotFoundError, OSError),
        ({"cache_type": "q9"}, plm.InvalidArgumentError, ValueError),
        ({"n_ctx": -1}, plm.InvalidArgumentError, ValueError),
        ({"n_ctx": 2**32}, plm.OutOfMemoryError, MemoryError),
        ({"n_threads": -1}, plm.InvalidArgumentError, ValueError),
        ({"n_batch": 0}, plm.InvalidArgumentError, ValueError),
        ({"n_parallel": 0}, plm.InvalidArgumentError, ValueError),
        ({"lora": ["no such adapter"]}, plm.NotFoundError, OSError),
        ({"chat_template": "{% if %}"}, plm.Error, Exception),
    ],
)
def test_what_cannot_be_loaded_is_refused(options, kind, also):
    with pytest.raises(kind) as refused:
        plm.Model(**options)
    assert isinstance(refused.value, also)
    assert isinstance(refused.value, plm.Error)
    assert "\n" not in str(refused.value)


def test_paths_may_be_of_any_kind(model, tmp_path):
    odd = tmp_path / "a model with ü and 🙂.gguf"
    odd.symlink_to(model.path)
    for path in (odd, str(odd), os.fsencode(odd)):
        with plm.Model(path, n_ctx=32) as other:
            assert other.n_ctx == 32


def test_a_closed_model_says_so():
    model = plm.Model(n_ctx=64)
    stream = model.generate("A", ignore_eos=True, stream=True)
    model.close()
    model.close()
    assert "closed" in repr(model)
    for ask in (lambda: model.n_ctx, lambda: model.generate("A"), lambda: model.tokenize("A"), model.stop_all):
        with pytest.raises(plm.InvalidArgumentError, match="closed"):
            ask()
    # It was stopped, unless it had filled the context by then.
    try:
        list(stream)
    except plm.CancelledError:
        pass


def test_it_is_neither_copied_nor_pickled(model):
    with pytest.raises(TypeError):
        pickle.dumps(model)
    with pytest.raises(TypeError):
        copy.deepcopy(model)


def test_tokens_come_back_as_text(model):
    for text in ("", "The dog, a → and 🙂\n", "a\0b"):
        assert model.detokenize(model.tokenize(text, add_special=False)) == text
    with pytest.raises(plm.InvalidArgumentError):
        model.detokenize([-1])
    with pytest.raises(TypeError):
        model.detokenize(["a"])


def test_scores_are_those_of_writing(model):
    answer = model.generate("The dog", max_tokens=6, temperature=0, logprobs=0)
    ids = model.tokenize("The dog") + [token.id for token in answer.tokens]
    score = model.score(ids, n_top=1)
    assert score.tokens == ids
    assert score.logprobs[0] is None
    # Rounded in two ways (docs/numerics.md).
    for told, token in zip(score.logprobs[-6:], answer.tokens, strict=True):
        assert told == pytest.approx(token.logprob, abs=0.05)
    assert all(len(top) == 1 for top in score.top[1:])


def test_a_context_can_be_scored_whole_and_no_more(model):
    assert len(model.score([5] * 256).tokens) == 256
    for wrong in ([5] * 257, []):
        with pytest.raises(plm.InvalidArgumentError):
            model.score(wrong)


def test_vectors_tell_what_is_alike(model):
    texts = ["The dog ran after the cat.", "A dog ran after a cat.", "The king counted his gold coins."]
    for pooling in ("mean", "last"):
        rows = model.embed(texts, pooling=pooling)
        assert [len(row) for row in rows] == [model.n_embd] * 3
        assert all(math.isclose(math.hypot(*row), 1, rel_tol=1e-5) for row in rows)
        assert rows[0] == model.embed(texts[0], pooling=pooling)
        near, far = (sum(x * y for x, y in zip(rows[0], rows[i], strict=True)) for i in (1, 2))
        assert near > far
    assert model.embed([model.tokenize(texts[0])]) == [model.embed(texts[0])]
    assert not math.isclose(math.hypot(*model.embed(texts[0], normalize=False)), 1, rel_tol=1e-3)
    assert model.embed([]) == []


def test_vectors_that_cannot_be_are_refused(model):
    with pytest.raises(plm.InvalidArgumentError):
        model.embed("a", pooling="max")
    with pytest.raises(plm.InvalidArgumentError):
        model.embed(["fine", "word " * 1000])
    with pytest.raises(TypeError):
        model.embed([None])


def test_numpy_takes_them(model):
    numpy = pytest.importorskip("numpy")
    rows = numpy.asarray(model.embed(["a dog", "a cat"]), dtype=numpy.float32)
    assert rows.shape == (2, model.n_embd)


def test_chats_are_written_by_the_template():
    with plm.Model(n_ctx=256, chat_template="chatml") as model:
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tell me of a dog."}]
        prompt = model.chat_prompt(messages)
        assert prompt.endswith("<|im_start|>user\nTell me of a dog.<|im_end|>\n<|im_start|>assistant\n")
        answer = model.chat(messages, max_tokens=10, temperature=0)
        assert answer.text == model.generate(prompt, max_tokens=10, temperature=0).text
        stream = model.chat(messages, max_tokens=10, temperature=0, stream=True)
        assert "".join(piece.text for piece in stream) == answer.text
        longer = [*messages, {"role": "assistant", "content": answer.text}, {"role": "user", "content": "And then?"}]
        assert model.chat(longer, max_tokens=2).n_reused > 10


def test_calls_of_tools_are_told_from_text():
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    call = r'root ::= "Wait." "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Rome\"}}\n</tool_call>"'
    messages = [{"role": "user", "content": "Rain?"}]
    with plm.Model(n_ctx=256, chat_template="{{ tools | length }}{{ messages[0].content }}") as model:
        answer = model.chat(messages, tools=tools, grammar=call)
        assert answer.text == "Wait."
        assert [told.name for told in answer.tool_calls] == ["weather"]
        pieces = list(model.chat(messages, tools=tools, grammar=call, stream=True))
        assert [told for piece in pieces for told in piece.tool_calls] == answer.tool_calls
    with plm.Model(n_ctx=64, chat_template="{{ messages[0].content }}") as model, pytest.raises(plm.UnsupportedError):
        model.chat(messages, tools=tools)


@pytest.mark.parametrize("messages", [[], [{}], [{"role": 1}], [{"role": "user", "content": 5}], [None], ["text"]])
def test_conversations_that_are_none_are_refused(model, messages):
    with pytest.raises(plm.InvalidArgumentError):
        model.chat(messages)


def test_a_session_is_taken_up_by_another_model(fresh_model, tmp_path):
    prompt = "Once upon a time there was a king who had three sons, and they lived near the sea. One day"
    with pytest.raises(plm.InvalidArgumentError, match="no session"):
        fresh_model.save_session(tmp_path / "none")
    answer = fresh_model.generate(prompt, max_tokens=8, temperature=0)
    saved = fresh_model.save_session(tmp_path / "session")
    assert saved.n_bytes == (tmp_path / "session").stat().st_size
    with plm.Model(n_ctx=256, n_threads=2) as other:
        assert other.load_session(str(tmp_path / "session")) == saved
        again = other.generate(prompt, max_tokens=8, temperature=0)
    assert (again.text, again.n_reused) == (answer.text, answer.n_prompt - 1)


def test_a_session_of_another_is_refused(fresh_model, tmp_path):
    fresh_model.generate("Once upon a time", max_tokens=2)
    fresh_model.save_session(tmp_path / "session")
    damaged = bytearray((tmp_path / "session").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with plm.Model(n_ctx=256, cache_type="f32") as other, pytest.raises(plm.BadDataError):
        other.load_session(tmp_path / "session")
    for name in ("damaged", os.path.basename(__file__)):
        with pytest.raises(plm.Error):
            fresh_model.load_session(tmp_path / name)
    with pytest.raises(plm.Error):
        fresh_model.save_session(tmp_path / "no such folder" / "session")
    assert fresh_model.generate("Once upon a time", max_tokens=2, temperature=0).text == ", he"
