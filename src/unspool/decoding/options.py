"""The options of decoding: sampling, beam search, and the search for sentences by either."""

from dataclasses import dataclass

from ..errors import ConfigError
from ..options import Options, option
from .length_penalty import FORMS, MOST

COUNT = 2**31  # counts are in 32 bits


@dataclass(frozen=True, kw_only=True)
class Sampling(Options):
    """How to sample tokens from a model's logits: see `stream`."""

    temperature: float = option(
        1.0, "below 1 is safer, above 1 wilder; 0 always takes the likeliest", at_least=0
    )
    top_k: int | None = option(None, "sample only from the k likeliest tokens", at_least=1)
    top_p: float | None = option(
        None, "nucleus sampling: smallest set with this total probability", above=0, at_most=1
    )
    seed: int = option(0, "the same seed writes the same text", at_least=0, below=2**32)


@dataclass(frozen=True, kw_only=True)
class Beam(Options):
    """The width of a beam search, and how it ranks sequences: see `beam_search`."""

    num_beams: int = option(5, "beam width; 1 is greedy", at_least=1, below=COUNT)
    length_penalty: float = option(
        1.0, "exponent p of the length penalty; 0 leaves scores as they are", at_least=-MOST,
        at_most=MOST,
    )  # fmt: skip
    length_penalty_form: str = option(
        "power", "divide scores by (tokens)^p, or by ((5 + tokens) / 6)^p", choices=tuple(FORMS)
    )


@dataclass(frozen=True, kw_only=True)
class Search(Sampling, Beam):
    """How to decode sentences: by beam search (`num_beams` 1 is greedy), or by sampling if
    `do_sample`.

    Raises ConfigError if an option is invalid.
    """

    n_best: int = option(1, "sentences to return, best first", at_least=1, below=COUNT)
    do_sample: bool = option(False, "sample instead of beam search", flag="sample")
    max_new_tokens: int | None = option(
        None, "maximum tokens per sentence", at_least=1, below=COUNT
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        shaped = self.temperature != 1 or self.top_k is not None or self.top_p is not None
        if shaped and not self.do_sample:
            raise ConfigError(
                "temperature, top_k and top_p need do_sample, as beam search does not sample"
            )
        if self.n_best > self.num_beams and not self.do_sample:
            raise ConfigError(
                f"n_best must be at most num_beams ({self.num_beams}), got {self.n_best}"
            )
