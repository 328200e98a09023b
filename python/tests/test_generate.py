"""Texts that a model writes: at once, in pieces, kept to a form, and stopped."""

import gc
import json
import math
import re

import plm
import pytest

PROMPT = "Once upon a time"


def test_an_answer_tells_what_it_is(model):
    answer = model.generate(PROMPT, max_tokens=12, temperature=0)
    assert answer.text.startswith(", he")
    assert len(answer.tokens) == 12
    assert model.detokenize(token.id for token in answer.tokens) == answer.text
    assert answer.tokens[0].logprob is None
    assert answer.finish_reason == "max_tokens"
    assert answer.n_prompt == len(model.tokenize(PROMPT))


def test_pieces_together_are_the_answer(model):
    stream = model.generate(PROMPT, max_tokens=12, temperature=0, stream=True)
    pieces = list(stream)
    assert "".join(piece.text for piece in pieces) == stream.answer.text
    assert [token for piece in pieces for token in piece.tokens] == stream.answer.tokens
    assert stream.answer.text == model.generate(PROMPT, max_tokens=12, temperature=0).text
    assert list(stream) == []


def test_ids_continue_as_their_text_does(model):
    ids = model.tokenize(PROMPT)
    assert model.generate(ids, max_tokens=8, temperature=0).text == model.generate(
        PROMPT, max_tokens=8, temperature=0
    ).text


def test_leaving_the_loop_stops_the_work(fresh_model):
    """Nothing holds the stream any more, and one that goes stops its work (tests/api/generate_test.cpp)."""

    def n_streams():
        return sum(isinstance(thing, plm.Stream) for thing in gc.get_objects())

    before = n_streams()
    for _ in fresh_model.generate(PROMPT, ignore_eos=True, stream=True):
        assert n_streams() == before + 1
        break
    assert n_streams() == before
    assert fresh_model.generate(PROMPT, max_tokens=2, temperature=0).text == ", he"


def test_a_closed_stream_says_that_it_was_stopped(model):
    with model.generate(PROMPT, ignore_eos=True, stream=True) as stream:
        first = next(stream)
    assert list(stream) == []
    assert stream.answer.finish_reason == "stopped"
    assert stream.answer.text.startswith(first.text)
    stream.close()


def test_an_unfinished_stream_has_no_answer(model):
    with model.generate(PROMPT, ignore_eos=True, stream=True) as stream, pytest.raises(plm.InvalidArgumentError):
        _ = stream.answer


def test_a_stream_outlives_the_name_of_its_model():
    stream = plm.Model(n_ctx=128).generate(PROMPT, max_tokens=5, temperature=0, stream=True)
    assert len([token for piece in stream for token in piece.tokens]) == 5


def test_a_seed_gives_the_same_again(model):
    first = model.generate(PROMPT, max_tokens=20, seed=7, temperature=1.5)
    model.generate("The dog", max_tokens=3)
    assert model.generate(PROMPT, max_tokens=20, seed=7, temperature=1.5).text == first.text
    assert first.seed == 7
    assert model.generate(PROMPT, max_tokens=20, seed=None).seed != model.generate(PROMPT, max_tokens=20).seed


def test_guesses_change_nothing_but_their_count(model):
    refrain = "The dog ran home. The dog ran home. The dog ran home. The dog"
    plain = model.generate(refrain, max_tokens=40, temperature=0)
    assert plain.n_drafted == 0
    for guesses in ({"prompt_lookup": True}, {"draft_model": model.path}):
        with plm.Model(n_ctx=256, n_threads=2, **guesses) as guessing:
            answer = guessing.generate(refrain, max_tokens=40, temperature=0)
        assert answer.text == plain.text
        assert 0 < answer.n_accepted <= answer.n_drafted


def test_stop_texts_end_it(model):
    whole = model.generate(PROMPT, max_tokens=20, temperature=0).text
    middle = whole[8:12]
    for stop in (middle, [middle, "zzz"], ("zzz", middle)):
        answer = model.generate(PROMPT, max_tokens=20, temperature=0, stop=stop)
        assert answer.finish_reason == "stop_text"
        assert answer.stop_text == middle
        assert answer.text == whole[: whole.index(middle)]


def test_log_probabilities_are_told_when_asked_for(model):
    answer = model.generate(PROMPT, max_tokens=4, temperature=0, logprobs=2)
    for token in answer.tokens:
        assert token.logprob <= 0
        assert len(token.top) == 2
        assert token.top[0] == (token.id, pytest.approx(token.logprob))
    assert model.generate(PROMPT, max_tokens=1, logprobs=0).tokens[0].top == []


def test_a_banned_token_is_not_written(model):
    first = model.generate(PROMPT, max_tokens=1, temperature=0).tokens[0].id
    banned = model.generate(PROMPT, max_tokens=1, temperature=0, logit_bias={first: -math.inf})
    assert banned.tokens[0].id != first


def test_answers_keep_to_a_form(model):
    age = {"type": "integer", "minimum": 0, "maximum": 99}
    schema = {"type": "object", "properties": {"age": age}, "required": ["age"]}
    for given in (schema, json.dumps(schema)):
        answer = model.generate("He was", json_schema=given, seed=1)
        assert isinstance(json.loads(answer.text)["age"], int)
    assert re.fullmatch(" (happy|sad)", model.generate("He was", regex=" (happy|sad)").text)
    assert model.generate("He was", grammar='root ::= " old" "!"').text == " old!"


def test_pieces_are_whole_characters(model):
    grammar = 'root ::= ("é" | "→" | "🙂") ("é" | "→" | "🙂") ("é" | "→" | "🙂")'
    pieces = [piece.text for piece in model.generate("A", grammar=grammar, stream=True, seed=1)]
    assert all(set(text) <= set("é→🙂") for text in pieces)
    assert len("".join(pieces)) == 3
    assert len(pieces) > 3, "a character is of several tokens here"


def test_bytes_that_are_no_text_become_replacement_characters(model):
    # The first byte of a character of two, and nothing after it.
    ids = [i for i in range(model.n_vocab) if model.detokenize_bytes([i]) == b"\xc3"]
    assert ids
    assert model.detokenize(ids) == "\ufffd"


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": math.nan},
        {"top_p": math.nan},
        {"min_p": 2.0},
        {"max_tokens": -1},
        {"seed": -1},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {10**8: 1.0}},
        {"grammar": "root ="},
        {"json_schema": "{"},
        {"json_schema": {"type": "no such type"}},
        {"regex": "("},
        {"regex": "a", "grammar": 'root ::= "a"'},
    ],
)
def test_settings_that_cannot_be_are_refused(model, options):
    with pytest.raises(plm.InvalidArgumentError) as refused:
        model.generate(PROMPT, **options)
    assert isinstance(refused.value, ValueError)
    assert str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("options", [{"no_such": 1}, {"temprature": 1.0}, {"top_k": "many"}])
def test_options_that_are_none_are_refused(model, options):
    with pytest.raises(TypeError):
        model.generate(PROMPT, **options)


@pytest.mark.parametrize("prompt", [[], [-1], [10**8], [2**40], "word " * 1000, list(range(5, 200)) * 2])
def test_prompts_that_cannot_be_are_refused(model, prompt):
    with pytest.raises(plm.InvalidArgumentError):
        model.generate(prompt)
    with pytest.raises(plm.InvalidArgumentError):
        model.generate(prompt, stream=True)


@pytest.mark.parametrize("prompt", [None, 5, 1.5, [1.5], ["a"], b"a", object()])
def test_what_is_no_prompt_is_a_type_error(model, prompt):
    with pytest.raises(TypeError):
        model.generate(prompt)


def test_text_that_is_no_unicode_is_refused(model):
    with pytest.raises(plm.InvalidArgumentError):
        model.generate("\ud800")
    assert model.generate("a\0b", max_tokens=1).n_prompt >= 3
