"""Language models in this process: transformers weights, requests that wait together run together.

Guaranteed: one worker thread per model generates, so calls are safe from any thread or event
loop; requests for one adapter are batched, those with the same system message share its
computation. A reply depends on its messages, limits, temperature and seed only, not on what is
generated beside it, for models and machines where `models.fast_llama` keeps that promise; else
rounding may flip a token where two are almost equally likely. `release()` frees the memory; the
next request loads the model again. Not guaranteed: a deadline. A reply takes as long as its tokens
take.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any, Literal

import torch
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from models.chat import end_tokens, opens_a_thought, render, reply_text
from models.decoding import Backend, Row, decode
from models.fast_llama import MIN_SHARED, LlamaBackend, LlamaWeights, common_beginning, supports
from models.generic_decoder import TransformersBackend
from models.lora import AdapterError, LoraSwitch
from records.nouns import Message

_PROBE_EVERY = 5.0  # seconds between two looks at how many threads are fastest
_LINGER = 0.01  # seconds without a new request after which a batch starts
_TOKEN_LIMIT = 98_304  # places in the cache of one batch (about 23 kB each for the embedded model)
_ROLES: dict[str, Literal["system", "user", "assistant"]] = {"human": "user", "ai": "assistant", "system": "system"}


class LocalModelError(Exception):
    """A local model cannot be loaded or cannot take a request; the message says why."""


@dataclass(frozen=True)
class Generation:
    """One reply. `finish` is "stop" or "length"; `seconds` from the start of its batch; `opened` as in `Reply`."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    opened: bool = False


@dataclass(eq=False)
class _Job:
    messages: tuple[Message, ...]
    adapter: str | None
    max_tokens: int
    temperature: float
    seed: int
    future: Future[Generation] = field(default_factory=Future)
    row: Row | None = None
    shared: tuple[int, ...] = ()
    error: LocalModelError | None = None

    @property
    def ready_row(self) -> Row:
        """The rendered row."""
        if self.row is None:
            raise LocalModelError("the request was not rendered")
        return self.row

    @property
    def prompt(self) -> list[int]:
        """The rendered prompt's token ids."""
        return self.ready_row.prompt

    @property
    def places(self) -> int:
        """Places in the key-value cache that the request may need."""
        return len(self.prompt) + self.ready_row.max_new

    def startable(self) -> bool:
        """Nobody cancelled it and nothing is wrong with it; a wrong one gets its error here."""
        if not self.future.set_running_or_notify_cancel():
            return False
        if self.error is not None:
            self.future.set_exception(self.error)
        return self.error is None


def best_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it (GPU; CPU with AMX, AVX512-BF16 or Arm BF16), else fp32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    try:
        flags = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        flags = set()
    return torch.bfloat16 if flags & {"amx_bf16", "avx512_bf16", "bf16"} else torch.float32


class _Loaded:
    """A model in memory."""

    def __init__(self, source: str, dtype: torch.dtype | None = None) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = dtype or best_dtype(self.device)
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(source)
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
            self.model = model.to(self.device).eval()
        except (OSError, ValueError) as error:
            raise LocalModelError(f"cannot load the model '{source}': {error}") from error
        if not self.tokenizer.chat_template:
            raise LocalModelError(f"the model '{source}' has no chat template; use its instruct version")
        self.lora = LoraSwitch(self.model)
        self.ends = end_tokens(self.tokenizer, self.model.config, self.model.generation_config)
        self.context = int(getattr(self.model.config, "max_position_embeddings", 2048))
        self._shared: dict[str, tuple[int, ...]] = {}
        self._threads = torch.get_num_threads()
        self._probed = float("-inf")
        self.fast = supports(self.model.config)
        self.weights = LlamaWeights(self.model) if self.fast else None

    def use_adapter(self, folder: str | None) -> None:
        """Switch to the base weights or to an adapter. Raises AdapterError."""
        if self.lora.activate(folder) and self.fast:
            self.weights = None  # before the new ones are packed: half the memory
            self.weights = LlamaWeights(self.model)

    def backend(self, shared: Sequence[int]) -> Backend:
        """An empty batch."""
        if self.weights is not None:
            return LlamaBackend(self.weights, shared)
        return TransformersBackend(self.model)

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation by the model's chat template."""
        return render(self.tokenizer, messages)

    def shared(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The tokens with which every conversation with this system message begins; () if few.

        They depend on the system message alone, so that a request is computed in the same way
        whoever shares its batch.
        """
        if not self.fast or messages[0].role != "system":
            return ()
        system = messages[0].content
        if system not in self._shared:
            if len(self._shared) > 64:
                self._shared.clear()
            variants = [self.render([messages[0], Message(role="user", content=text)]) for text in ("a", "1 b")]
            found = common_beginning(variants)
            self._shared[system] = tuple(found) if len(found) >= MIN_SHARED else ()
        return self._shared[system]

    def settle_threads(self) -> None:
        """Use all cores or one, whichever is faster now: beside other work, threads wait for each other."""
        if self.device.type != "cpu" or self._threads == 1 or time.monotonic() - self._probed < _PROBE_EVERY:
            return
        seconds = {count: _probe(count, self.model.dtype) for count in (1, self._threads)}
        torch.set_num_threads(min(seconds, key=lambda count: seconds[count]))
        self._probed = time.monotonic()


def _probe(threads: int, dtype: torch.dtype) -> float:
    """Seconds for some small matrix products."""
    torch.set_num_threads(threads)
    a, b = torch.ones(64, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
    torch.nn.functional.linear(a, b)
    started = time.perf_counter()
    for _ in range(20):
        torch.nn.functional.linear(a, b)
    return time.perf_counter() - started


class LocalModel:
    """One model, its queue and its worker thread."""

    def __init__(
        self, source: Path | str, batch_limit: int = 64, share_prefix: bool = True, dtype: torch.dtype | None = None
    ) -> None:
        """`dtype` None: what the hardware multiplies best."""
        self.source = str(source)
        self.dtype = dtype
        self.batch_limit = batch_limit
        self.share_prefix = share_prefix
        self._pending: list[_Job] = []
        self._changed = Condition()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="local-model")
        self._loaded: _Loaded | None = None

    def submit(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        adapter: str | None = None,
    ) -> Future[Generation]:
        """Queue one request. The future raises LocalModelError or AdapterError if it cannot be served."""
        job = _Job(tuple(messages), adapter, max_tokens, temperature, seed)
        with self._changed:
            self._pending.append(job)
            self._changed.notify_all()
        self._worker.submit(self._work)
        return job.future

    def release(self) -> None:
        """Free the model's memory, after the requests that wait. It loads again when needed."""
        self._worker.submit(self._unload).result()

    def close(self) -> None:
        """Drop what waits, end the worker and free the memory."""
        with self._changed:
            for job in self._pending:
                job.future.cancel()
            self._pending.clear()
        self._worker.submit(self._unload)
        self._worker.shutdown(wait=True)

    def _unload(self) -> None:
        self._loaded = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        _trim_heap()

    def _work(self) -> None:
        """Generate one batch of what waits; runs once per request, mostly finding nothing left."""
        self._linger()
        batch: list[_Job] = []
        try:
            loaded = self._load()
            self._render_waiting(loaded)
            batch = self._take(self.batch_limit)
            if batch:
                loaded.use_adapter(batch[0].adapter)
                self._generate(loaded, batch)
        except Exception as error:  # not swallowed: every request that waits for this batch gets it
            known = isinstance(error, LocalModelError | AdapterError)
            told = error if known else LocalModelError(f"{type(error).__name__}: {error}")
            for job in batch or self._take_all():
                if not job.future.done():
                    job.future.set_exception(told)

    def _linger(self) -> None:
        """Wait until no request has come for a moment: those of one fan-out come together."""
        with self._changed:
            while 0 < len(self._pending) < self.batch_limit and self._changed.wait(_LINGER):
                pass

    def _load(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = _Loaded(self.source, self.dtype)
        return self._loaded

    def _render_waiting(self, loaded: _Loaded) -> None:
        """Turn waiting requests into rows; one that does not fit the context fails alone."""
        with self._changed:
            fresh = [job for job in self._pending if job.row is None]
        for job in fresh:
            prompt = loaded.render(job.messages)
            room = loaded.context - len(prompt)
            if room < 1:
                job.error = LocalModelError(
                    f"the prompt has {len(prompt)} tokens, the model's limit is {loaded.context}"
                )
            shared = loaded.shared(job.messages) if self.share_prefix else ()
            job.shared = shared if job.error is None and tuple(prompt[: len(shared)]) == shared else ()
            job.row = Row(prompt, max(1, min(job.max_tokens, room)), job.temperature, job.seed)

    def _take_all(self) -> list[_Job]:
        with self._changed:
            jobs, self._pending = self._pending, []
        return [job for job in jobs if job.future.set_running_or_notify_cancel()]

    def _take(self, limit: int, like: _Job | None = None) -> list[_Job]:
        """Up to `limit` rendered jobs for one adapter and one shared beginning, longest first.

        With `like`: only jobs that fit into its running batch.
        """
        with self._changed:
            ready = [job for job in self._pending if job.row is not None]
            if not ready:
                return []
            first = like or ready[0]
            same = [job for job in ready if (job.adapter, job.shared) == (first.adapter, first.shared)]
            if like is not None:
                same = [job for job in same if job.places <= like.places]
            chosen = _within_budget(sorted(same, key=lambda job: -job.places)[:limit])
            self._pending = [job for job in self._pending if job not in chosen]
        return [job for job in chosen if job.startable()]

    def _generate(self, loaded: _Loaded, batch: list[_Job]) -> None:
        """Generate a batch; waiting requests of the same kind take the places of finished ones."""
        jobs = {id(job.row): job for job in batch}
        started = time.perf_counter()

        def refill(free: int) -> list[Row]:
            loaded.settle_threads()
            self._render_waiting(loaded)
            more = self._take(free, like=batch[0]) if loaded.fast else []
            batch.extend(more)
            jobs.update({id(job.row): job for job in more})
            return [job.ready_row for job in more]

        def finished(row: Row) -> None:
            text, opened = reply_text(loaded.tokenizer, row.tokens), opens_a_thought(loaded.tokenizer, row.prompt)
            seconds = time.perf_counter() - started
            result = Generation(text, row.finish, len(row.prompt), len(row.tokens), seconds, opened)
            jobs[id(row)].future.set_result(result)

        loaded.settle_threads()
        decode(loaded.backend(batch[0].shared), [job.ready_row for job in batch], loaded.ends, refill, finished)


def _within_budget(jobs: list[_Job]) -> list[_Job]:
    """As many of the jobs (longest first) as the cache has places for; at least one."""
    widest = max((job.places for job in jobs), default=1)
    return jobs[: max(1, _TOKEN_LIMIT // widest)]


def _trim_heap() -> None:
    """Give freed memory back to the system where the C library can."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # another C library: it gives memory back when it likes


class LocalChatModel(BaseChatModel):
    """A LangChain chat model over a `LocalModel`; many of these may share one."""

    host: Any
    adapter: str | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0

    @property
    def _llm_type(self) -> str:
        return "linguistic-transfer-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.host.source, "adapter": self.adapter}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _as_result(self._submit(messages, kwargs).result(), stop)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _as_result(await asyncio.wrap_future(self._submit(messages, kwargs)), stop)

    def _submit(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Future[Generation]:
        turns = [Message(role=_ROLES[message.type], content=str(message.text)) for message in messages]
        host: LocalModel = self.host
        return host.submit(
            turns,
            kwargs.get("max_tokens", self.max_tokens),
            kwargs.get("temperature", self.temperature),
            kwargs.get("seed", self.seed),
            self.adapter,
        )


def _as_result(generation: Generation, stop: list[str] | None) -> ChatResult:
    """The reply as LangChain wants it; cut before the first stop string, if there is one."""
    text, finish = generation.text, generation.finish
    places = [text.index(word) for word in stop or [] if word in text]
    if places:
        text, finish = text[: min(places)], "stop"
    usage = UsageMetadata(
        input_tokens=generation.prompt_tokens,
        output_tokens=generation.completion_tokens,
        total_tokens=generation.prompt_tokens + generation.completion_tokens,
    )
    message = AIMessage(content=text, usage_metadata=usage, response_metadata={"finish_reason": finish})
    return ChatResult(generations=[ChatGeneration(message=message)])
