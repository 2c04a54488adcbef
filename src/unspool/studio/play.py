"""Play: write text token by token, keeping the state of each, so that one can go back."""

import asyncio
import codecs
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, field_validator
from starlette.concurrency import run_in_threadpool

from ..decoding import LanguageStepper, make_transforms
from ..decoding.sampling import choose, row_keys
from ..decoding.transforms import Transform, is_greedy
from ..errors import ConfigError, DataError
from ..tasks.run import require
from ..tasks.text.run import Run
from ..tasks.text.stream import without_blanks
from .recent import Recent

router = APIRouter(prefix="/api/play")

KEPT = 4  # sessions
MOST_BYTES = 256 * 2**20  # of states in a session
LONGEST_PROMPT = 2000  # tokens
LIKELIEST = 30
_Utf8 = codecs.getincrementaldecoder("utf-8")
PIECE_S = 0.016  # text is sent about as often as a screen refreshes


class Prompt(BaseModel):
    """The start of a text."""

    text: str


class Shaping(BaseModel):
    """How the distribution is shaped before a token is sampled."""

    temperature: float = Field(default=0.8, ge=0, le=5)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)


class Sampling(Shaping):
    """How many tokens to sample, with which seed, and how many per second (0: no limit)."""

    most: int = Field(default=500, ge=1, le=5000)
    seed: int = Field(default=0, ge=0, lt=2**32)
    pace: float = Field(default=0, ge=0, le=1000)

    @field_validator("pace")
    @classmethod
    def _no_nap(cls, pace: float) -> float:
        """Refuse a slower pace: a text of 5,000 tokens takes at most an hour and a half."""
        if 0 < pace < 1:
            raise ValueError("pace must be 0 or at least 1 token per second")
        return pace


@dataclass
class Node:
    """A token after a parent, with the bytes of an unfinished character, and the state."""

    parent: int
    token: int
    pending: bytes
    logits: np.ndarray
    state: Any


@dataclass
class Session:
    """A tree of tokens; node 0 is the first token of the prompt."""

    run: Run
    stepper: LanguageStepper
    nodes: list[Node] = field(default_factory=list)
    prompt_end: int = -1  # the node of the prompt's last token
    lock: Any = field(default_factory=Lock)

    def add(self, parent: int, token: int) -> tuple[int, str]:
        """Add a token after a node; return the new node's number and the text that it completes."""
        state = self.stepper.start(1) if parent < 0 else self.nodes[parent].state
        logits, state = _step(self.stepper, jnp.array([token]), state)
        kept = np.asarray(logits)[0]
        self._check_room(kept, state)
        held = b"" if parent < 0 else self.nodes[parent].pending
        text, pending = whole_characters(held + self.run.vocab.bytes_of([token]))
        with self.lock:  # another request may be writing
            self.nodes.append(Node(parent, token, pending, kept, state))
            return len(self.nodes) - 1, text

    def at(self, number: int) -> Node:
        """Return a node. Raises ConfigError if there is none."""
        if not 0 <= number < len(self.nodes):
            raise ConfigError(f"there is no token number {number}: start over")
        return self.nodes[number]

    def row_of(self, node: int) -> int:
        """Return the row of a seed that continues a node: that of `unspool sample` after the
        prompt, and a different one elsewhere, so that going back and writing again gives another
        text.
        """
        return 0 if node == self.prompt_end else node + 1

    def _check_room(self, logits: np.ndarray, state: Any) -> None:
        size = logits.nbytes + sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        if size * len(self.nodes) > MOST_BYTES:
            raise ConfigError("this session reached its memory limit: start over")


_sessions: Recent[Session] = Recent(KEPT)


@router.post("/open/{run:path}")
def begin(run: str, prompt: Prompt, request: Request) -> dict[str, Any]:
    """Read a prompt; return the session and its tokens."""
    loaded = require(request.app.state.store.load(run), Run)
    ids = loaded.vocab.encode(without_blanks(loaded.vocab, prompt.text))
    if not len(ids):
        raise DataError("type at least one character to start with")
    if len(ids) > LONGEST_PROMPT:
        raise DataError(f"a prompt must have at most {LONGEST_PROMPT:,} tokens, got {len(ids):,}")
    session = Session(loaded, loaded.stepper())
    tokens, parent = [], -1
    for token in ids.tolist():
        parent, text = session.add(parent, token)
        tokens.append({"node": parent, "text": text})
    session.prompt_end = parent
    name = _sessions.keep(session)
    return {"session": name, "tokens": tokens, "vocabulary": len(loaded.vocab)}


@router.post("/next/{session}/{node}")
def likeliest(session: str, node: int, shaping: Shaping) -> list[dict[str, Any]]:
    """Return the likeliest tokens after a node, with the model's and the shaped probability."""
    found = _find(session)
    logits = found.at(node).logits
    p, shaped = _probabilities(logits), _shaped(logits, shaping)
    order = np.argsort(-p, kind="stable")[:LIKELIEST]
    return [
        {
            "token": int(i),
            "text": found.run.vocab.token_text(int(i)),
            "p": float(p[i]),
            "shaped": float(shaped[i]),
        }
        for i in order
    ]


@router.post("/pick/{session}/{node}/{token}")
def pick(session: str, node: int, token: int) -> dict[str, Any]:
    """Continue with a token that the user chose."""
    found = _find(session)
    found.at(node)
    if not 0 <= token < len(found.run.vocab):
        raise ConfigError(f"token must be from 0 to {len(found.run.vocab) - 1}, got {token}")
    number, text = found.add(node, token)
    return {"node": number, "text": text}


@router.post("/write/{session}/{node}")
def write(session: str, node: int, sampling: Sampling) -> StreamingResponse:
    """Sample tokens after a node, as lines of JSON while they are made."""
    found = _find(session)
    found.at(node)
    return StreamingResponse(_lines(found, node, sampling), media_type="application/x-ndjson")


async def _lines(session: Session, node: int, sampling: Sampling) -> AsyncIterator[str]:
    """Yield a line for what was made in each sixtieth of a second.

    A thread is used for that time only, and the wait between two tokens needs none: closing the
    page ends both.
    """
    choose_next = await run_in_threadpool(_chooser, sampling, session.row_of(node))
    began, count = time.monotonic(), 0
    while count < sampling.most:
        due = 1 if sampling.pace else sampling.most - count
        made = await run_in_threadpool(_piece, session, node, choose_next, count, due)
        yield json.dumps(made) + "\n"
        if "error" in made[-1]:
            return
        node, count = made[-1]["node"], count + len(made)
        if sampling.pace:
            await asyncio.sleep(began + count / sampling.pace - time.monotonic())


def _piece(
    session: Session, node: int, choose_next: Callable[[Any, int], int], count: int, most: int
) -> list[dict[str, Any]]:
    """Sample at least one token, and no more than fit into a sixtieth of a second."""
    made: list[dict[str, Any]] = []
    until = time.monotonic() + PIECE_S
    while len(made) < most and (not made or time.monotonic() < until):
        token = choose_next(session.at(node).logits, count + len(made))
        try:
            node, text = session.add(node, token)
        except ConfigError as error:
            return [*made, {"error": str(error)}]
        made.append({"node": node, "text": text})
    return made


def whole_characters(data: bytes) -> tuple[str, bytes]:
    """Return the complete characters of bytes, and the bytes at the end that may become one."""
    decoder = _Utf8("replace")
    return decoder.decode(data), decoder.getstate()[0]


def _chooser(sampling: Sampling, row: int) -> Callable[[Any, int], int]:
    """Return a function that chooses a token from logits and the number of tokens before it."""
    transforms = make_transforms(sampling.temperature, sampling.top_k, sampling.top_p)
    greedy, keys = is_greedy(sampling.temperature), row_keys(sampling.seed, [row])

    def choose_next(logits: Any, chosen: int) -> int:
        return int(_choose(logits[None], transforms, greedy, keys, jnp.int32(chosen))[0])

    return choose_next


def _shaped(logits: np.ndarray, shaping: Shaping) -> np.ndarray:
    if is_greedy(shaping.temperature):
        return np.asarray(np.arange(len(logits)) == np.argmax(logits), np.float64)
    transforms = make_transforms(shaping.temperature, shaping.top_k, shaping.top_p)
    return _probabilities(np.asarray(_transformed(transforms, logits[None]))[0])


def _probabilities(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(raised / raised.sum())


def _find(name: str) -> Session:
    session = _sessions.find(name)
    if session is None:
        raise ConfigError("this text is no longer kept: start over")
    return session


@eqx.filter_jit
def _transformed(transforms: tuple[Transform, ...], logits: Any) -> Any:
    for transform in transforms:
        logits = transform(logits)
    return logits


_choose = eqx.filter_jit(choose)


@eqx.filter_jit
def _step(stepper: LanguageStepper, token: Any, state: Any) -> Any:
    return stepper.step(token, state)
