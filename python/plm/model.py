"""A model, and all that can be asked of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Unpack, overload

from . import _plm, checks
from .errors import InvalidArgumentError, UnsupportedError
from .stream import Stream
from .values import Answer, Options, Score, Session

__all__ = ["Model"]

PathLike = str | os.PathLike[str]
Pooling = Literal["mean", "cls", "last"]

_BUNDLED_MODEL = Path(__file__).parent / "models" / "story-7m-f16.gguf"

# Options that the module below knows by the same name, and how each is looked at.
_NUMBERS = frozenset("temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty".split())
_INTEGERS = {
    "top_k": (-checks.INT32_MAX, checks.INT32_MAX),
    "repeat_last_n": (-1, checks.INT32_MAX),
    "seed": (0, checks.UINT64_MAX),
}
_FLAGS = {"ignore_eos": "ignores_end", "special": "shows_special", "parse_special": "parse_special"}
# None is as good as not given.
_MAY_BE_NONE = frozenset("max_tokens stop seed logit_bias grammar json_schema regex logprobs".split())


def _grammar(name: str, value: Any) -> str:
    if made := checks.text(name, value).decode():
        return made
    raise InvalidArgumentError(f"{name}: found an empty text")


def _made_options(options: Options) -> _plm.GenerateOptions:
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown options: {', '.join(sorted(unknown))}")
    made = _plm.GenerateOptions()
    for name, value in options.items():
        if value is None and name in _MAY_BE_NONE:
            continue
        if name in _NUMBERS:
            setattr(made, name, checks.number(name, value))
        elif name in _INTEGERS:
            setattr(made, name, checks.integer(name, value, *_INTEGERS[name]))
        elif name in _FLAGS:
            setattr(made, _FLAGS[name], checks.flag(name, value))
        elif name == "max_tokens":
            made.max_tokens = checks.integer(name, value, 0, checks.INT64_MAX)
        elif name == "logprobs":
            made.n_top = checks.integer(name, value, 0, checks.INT32_MAX)
        elif name == "stop":
            made.stop = checks.texts(name, value)
        elif name == "logit_bias":
            made.logit_bias = _biases(name, value)
        elif name == "json_schema" and not isinstance(value, str):
            made.json_schema = checks.as_json(name, value).decode()
        else:
            setattr(made, name, _grammar(name, value))
    return made


def _biases(name: str, value: Any) -> list[tuple[int, float]]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: found {type(value).__name__}, expected a mapping of token ids to numbers")
    return [
        (checks.integer(name, token, -1, checks.INT32_MAX), checks.number(f"{name}[{token}]", bias))
        for token, bias in value.items()
    ]


def _adapters(lora: Any) -> list[tuple[bytes, float]]:
    adapters = []
    for i, entry in enumerate(checks.entries("lora", lora, "a list of files, or of files and scales")):
        name = f"lora[{i}]"
        if not isinstance(entry, tuple):
            entry = (entry, 1.0)
        elif len(entry) != 2:
            raise TypeError(f"{name}: found a tuple of {len(entry)}, expected a file and its scale")
        adapters.append((checks.file_name(name, entry[0]), checks.number(name, entry[1])))
    return adapters


def _messages(messages: Any) -> bytes:
    return checks.as_json("messages", checks.entries("messages", messages, "a list of messages"))


class Model:
    """A language model in memory.

    >>> import plm
    >>> with plm.Model(n_ctx=256) as model:
    ...     answer = model.generate("Once upon a time", max_tokens=4, temperature=0)
    >>> answer.text
    ', he was very'

    A model may be used by several threads at the same time: one thread of its own runs it, and up to `n_parallel` answers
    are written at once, which takes much less time than one after the other; the rest waits its turn. Python's other
    threads run meanwhile, and Ctrl-C stops what its thread waits for. After `os.fork` a child must load its own.

    Raises plm.Error, of one of the kinds in plm.errors.
    """

    _raw: _plm.Model | None = None  # none before it is loaded, and when it is closed

    def __init__(
        self,
        path: PathLike | None = None,
        *,
        n_ctx: int = 0,
        n_threads: int = 0,
        n_batch: int = 1024,
        n_parallel: int = 1,
        cache_type: Literal["f32", "f16", "bf16", "q8_0"] | None = None,
        chat_template: str | None = None,
        lora: Sequence[PathLike | tuple[PathLike, float]] = (),
        prefix_cache_bytes: int = 256 << 20,
        prompt_lookup: bool = False,
        draft_model: PathLike | None = None,
    ) -> None:
        """Loads a GGUF file.

        path: without one, the package's own model of 7 million parameters, which tells stories.
        n_ctx: tokens of prompt and answer together; 0: what the model was trained for.
        n_threads: 0, or more than there are: all CPUs.
        n_batch: most tokens of a prompt that are run in a step.
        n_parallel: answers written at once; each has a cache of n_ctx tokens.
        cache_type: of the cache's numbers; None: what is fastest here.
        chat_template: the name of a built-in template or Jinja; None: the file's own.
        lora: adapters, GGUF files or PEFT's folders, each alone or with how strong it is.
        prefix_cache_bytes: memory for rows of earlier texts, so that what begins alike is not run again; 0: none.
        prompt_lookup: guess the next tokens from what stood in the text before, and check several in a step: the same
            text, sooner where it repeats itself.
        draft_model: a smaller model of the same vocabulary, a GGUF file, that guesses.
        """
        options = _plm.ModelOptions()
        options.context_length = checks.integer("n_ctx", n_ctx, 0, checks.INT64_MAX)
        options.n_threads = checks.integer("n_threads", n_threads, 0, checks.INT32_MAX)
        options.batch_size = checks.integer("n_batch", n_batch, 1, 65536)
        options.n_parallel = checks.integer("n_parallel", n_parallel, 1, checks.INT32_MAX)
        options.cache_type = checks.text("cache_type", cache_type or "").decode()
        options.chat_template = checks.text("chat_template", chat_template or "").decode()
        options.prefix_bytes = checks.integer("prefix_cache_bytes", prefix_cache_bytes, 0, checks.INT64_MAX)
        options.prompt_lookup = checks.flag("prompt_lookup", prompt_lookup)
        options.draft_path = b"" if draft_model is None else checks.file_name("draft_model", draft_model)
        file = checks.file_name("path", _BUNDLED_MODEL if path is None else path)
        self._raw = _plm.Model(file, options, _adapters(lora))

    def _model(self) -> _plm.Model:
        if self._raw is None:
            raise InvalidArgumentError("the model is closed")
        return self._raw

    def close(self) -> None:
        """Gives the memory back; what is under way in other threads ends with CancelledError. May be called twice."""
        raw, self._raw = self._raw, None
        if raw is None:
            return
        try:
            raw.stop_all()
        except UnsupportedError:
            pass  # in a child of fork, where nothing is under way

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._raw is None:
            return "<plm.Model, closed>"
        return f"<plm.Model {self.path!r}, {self.n_ctx} tokens of context>"

    @property
    def path(self) -> str:
        """The file it was loaded from."""
        return os.fsdecode(self._model().info.path)

    @property
    def name(self) -> str:
        """What the file calls it; may be empty."""
        return self._model().info.name

    @property
    def architecture(self) -> str:
        return self._model().info.architecture

    @property
    def n_ctx(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self._model().info.context_length

    @property
    def n_vocab(self) -> int:
        return self._model().info.vocabulary_size

    @property
    def n_embd(self) -> int:
        """Numbers of a vector of embed()."""
        return self._model().info.width

    @property
    def n_threads(self) -> int:
        return self._model().info.n_threads

    @property
    def cache_type(self) -> str:
        return self._model().info.cache_type

    @property
    def cache_bytes_per_token(self) -> int:
        return self._model().info.cache_bytes_per_token

    @property
    def bos(self) -> int | None:
        """The token that texts begin with, where the vocabulary has one."""
        return self._model().info.bos

    @property
    def eos(self) -> int | None:
        """The token that ends a text."""
        return self._model().info.eos

    @property
    def chat_template(self) -> str:
        """The Jinja source of the template in use."""
        return self._model().info.chat_template

    def tokenize(self, text: str, *, add_special: bool = True, parse_special: bool = False) -> list[int]:
        """The token ids of a text.

        add_special: put tokens before and after it as the vocabulary says.
        parse_special: read "<|im_end|>" as that token; not for text from strangers.

        >>> import plm
        >>> plm.Model().tokenize("Once upon a time")
        [2775, 691, 258, 546]
        """
        return self._model().tokenize(
            checks.text("text", text), checks.flag("add_special", add_special), checks.flag("parse_special", parse_special)
        )

    def detokenize(self, ids: Iterable[int], *, skip_special: bool = False) -> str:
        """The text of token ids; where they begin or end within a character, that is U+FFFD.

        >>> import plm
        >>> plm.Model().detokenize([2775, 691, 258, 546])
        'Once upon a time'
        """
        return self.detokenize_bytes(ids, skip_special=skip_special).decode(errors="replace")

    def detokenize_bytes(self, ids: Iterable[int], *, skip_special: bool = False) -> bytes:
        """The bytes of token ids, exactly."""
        return self._model().detokenize(checks.token_ids("ids", ids), checks.flag("skip_special", skip_special))

    @overload
    def generate(
        self, prompt: str | Sequence[int], *, stream: Literal[False] = False, **options: Unpack[Options]
    ) -> Answer: ...

    @overload
    def generate(
        self, prompt: str | Sequence[int], *, stream: Literal[True], **options: Unpack[Options]
    ) -> Stream: ...

    @overload
    def generate(
        self, prompt: str | Sequence[int], *, stream: bool, **options: Unpack[Options]
    ) -> Answer | Stream: ...

    def generate(
        self, prompt: str | Sequence[int], *, stream: bool = False, **options: Unpack[Options]
    ) -> Answer | Stream:
        """Continues a text, or token ids.

        stream: return an iterator over the pieces of the answer as they are written.
        options: max_tokens, stop, temperature, top_k, top_p, min_p, typical_p, repeat_penalty, repeat_last_n,
            presence_penalty, frequency_penalty, seed, logit_bias, grammar, json_schema, regex, logprobs, ignore_eos, special,
            parse_special; what they mean is said by plm.Options.

        >>> import plm
        >>> model = plm.Model()
        >>> model.generate("The dog was", regex=" (happy|sad)", temperature=0).text in (" happy", " sad")
        True
        >>> for piece in model.generate("Once upon a time", max_tokens=3, temperature=0, stream=True):
        ...     print(repr(piece.text))
        ','
        ' he'
        ' was'
        """
        begun = Stream(self._model().stream(checks.prompt("prompt", prompt), _made_options(options)))
        return begun if stream else _read(begun)

    @overload
    def chat(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **options: Unpack[Options],
    ) -> Answer: ...

    @overload
    def chat(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        stream: Literal[True],
        **options: Unpack[Options],
    ) -> Stream: ...

    @overload
    def chat(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        stream: bool,
        **options: Unpack[Options],
    ) -> Answer | Stream: ...

    def chat(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        stream: bool = False,
        **options: Unpack[Options],
    ) -> Answer | Stream:
        """Answers a conversation by the model's own template.

        messages, tools: as in OpenAI's API. Calls that the model makes are in the answer's tool_calls.
        template_variables: for templates that ask for more, {"enable_thinking": False}; not what is given otherwise
            (messages, tools, add_generation_prompt).
        stream, options: as for generate.

        >>> import plm
        >>> model = plm.Model()
        >>> answer = model.chat([{"role": "user", "content": "Tell me of a dog."}], max_tokens=20, seed=1)
        >>> answer.n_prompt > 5
        True
        """
        begun = Stream(
            self._model().stream_chat(
                _messages(messages), _chat_options(tools, template_variables), _made_options(options)
            )
        )
        return begun if stream else _read(begun)

    def chat_prompt(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """The text that the template makes of a conversation."""
        options = _chat_options(tools, template_variables)
        options.add_generation_prompt = checks.flag("add_generation_prompt", add_generation_prompt)
        return self._model().chat_prompt(_messages(messages), options)

    def score(self, text: str | Sequence[int], *, n_top: int = 0, parse_special: bool = True) -> Score:
        """How likely each token of a text is, given those before it.

        n_top: tell this many of the most likely tokens at each place, too.

        >>> import plm
        >>> score = plm.Model().score("Once upon a time")
        >>> [None if number is None else round(number, 1) for number in score.logprobs]
        [None, -8.6, -0.3, -0.0]
        """
        ids, logprobs, top = [], [], []
        scores = self._model().score(
            checks.prompt("text", text),
            checks.integer("n_top", n_top, 0, checks.INT32_MAX),
            checks.flag("parse_special", parse_special),
        )
        for token, logprob, alternatives in scores:
            ids.append(token)
            logprobs.append(logprob)
            top.append(alternatives)
        return Score(ids, logprobs, top)

    @overload  # a text is a sequence of texts too, but the first form takes it
    def embed(  # type: ignore[overload-overlap]
        self, text: str, *, pooling: Pooling = "mean", normalize: bool = True
    ) -> list[float]: ...

    @overload
    def embed(
        self, text: Sequence[str | Sequence[int]], *, pooling: Pooling = "mean", normalize: bool = True
    ) -> list[list[float]]: ...

    def embed(
        self, text: str | Sequence[str | Sequence[int]], *, pooling: Pooling = "mean", normalize: bool = True
    ) -> list[float] | list[list[float]]:
        """The vector of a text, n_embd numbers; of a list of texts (or lists of token ids), a list of vectors.

        pooling: how the rows of a text's tokens become one: "mean", "cls" (the first) or "last".
        normalize: to length 1, so that a dot product is the cosine.

        >>> import plm
        >>> model = plm.Model()
        >>> a, b, c = model.embed(["The dog ran after the cat.", "A dog ran after a cat.", "The king counted his gold."])
        >>> sum(x * y for x, y in zip(a, b)) > sum(x * y for x, y in zip(a, c))
        True
        """
        if pooling not in ("mean", "cls", "last"):
            raise InvalidArgumentError(f"pooling: found {pooling!r}, expected 'mean', 'cls' or 'last'")
        texts = [text] if isinstance(text, str) else checks.entries("text", text, "str or a list of texts")
        rows = self._model().embed(
            [checks.prompt(f"text[{i}]", one) for i, one in enumerate(texts)],
            getattr(_plm.Pooling, pooling),
            checks.flag("normalize", normalize),
        )
        return rows[0] if isinstance(text, str) else rows

    def save_session(self, path: PathLike) -> Session:
        """Keeps what the model has computed of the text of its last answer, prompt and answer, in a file.

        With several answers at once the last is the one read to its end last.
        """
        return Session(*self._model().save_session(checks.file_name("path", path)))

    def load_session(self, path: PathLike) -> Session:
        """Takes it back: a prompt that begins with these tokens runs only what is new.

        Raises BadDataError on a file that is damaged or was saved by another model, build or cache type.

        >>> import plm, tempfile, os
        >>> file = os.path.join(tempfile.mkdtemp(), "session")
        >>> first, second = plm.Model(), plm.Model()
        >>> answer = first.generate("Once upon a time there was a", max_tokens=5, temperature=0)
        >>> _ = first.save_session(file)
        >>> session = second.load_session(file)
        >>> again = second.generate("Once upon a time there was a", max_tokens=5, temperature=0)
        >>> again.text == answer.text, again.n_reused == again.n_prompt - 1
        (True, True)
        """
        return Session(*self._model().load_session(checks.file_name("path", path)))

    def stop_all(self) -> None:
        """Stops all that is under way in other threads, and streams: there CancelledError is raised."""
        self._model().stop_all()


def _chat_options(
    tools: Sequence[Mapping[str, Any]] | None, template_variables: Mapping[str, Any] | None
) -> _plm.ChatOptions:
    options = _plm.ChatOptions()
    if tools is not None:
        options.tools = checks.as_json("tools", checks.entries("tools", tools, "a list of tools")).decode()
    if template_variables is not None:
        if not isinstance(template_variables, Mapping):
            raise TypeError(f"template_variables: found {type(template_variables).__name__}, expected a mapping")
        options.template_variables = checks.as_json("template_variables", template_variables).decode()
    return options


def _read(stream: Stream) -> Answer:
    with stream:  # Ctrl-C stops the work
        for _ in stream:
            pass
        return stream.answer
