"""Encoder and decoder: one sequence in, another out (many to one, then one to many)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..bidirectional import reverse
from ..cells import Cell, CreateCell
from ..cells.init import random_key
from .decoder import Condition, Decoder
from .reader import Reader


class Translator(eqx.Module):
    """p(y | x): a `Reader` of x makes the `Condition` of a `Decoder` of y.

    The condition's vector is the reader's last output (of both directions); its memory, if there is
    attention, are the outputs of every step. If `source_vocab_size` is None, both languages share
    one embedding, the decoder's. `reverse_source` reads x from its end (Sutskever et al. 2014,
    arXiv 1409.3215).
    """

    kind: ClassVar[str] = "translator"

    encoder: Reader
    decoder: Decoder
    reverse_source: bool = eqx.field(static=True, default=False)

    @classmethod
    def create(
        cls,
        vocab_size: int,
        source_vocab_size: int | None = None,
        *,
        cell: str | CreateCell = "gru",
        hidden_size: int = 256,
        num_layers: int = 1,
        embedding_size: int = 256,
        bidirectional: bool = True,
        reverse_source: bool = False,
        attention: str = "luong",
        tied: bool = True,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> "Translator":
        """Create a model for one shared vocabulary, or for two.

        Encoder (each direction) and decoder have `num_layers` of `hidden_size` units; `attention`
        is "luong", "bahdanau" or "none". Raises ConfigError if an argument is invalid.
        """
        shape: dict[str, Any] = {
            "cell": cell, "hidden_size": hidden_size, "num_layers": num_layers,
            "embedding_size": embedding_size, "dropout": dropout,
        }  # fmt: skip
        k_encoder, k_decoder = jax.random.split(random_key(seed))
        own = source_vocab_size if source_vocab_size is not None else vocab_size
        encoder = Reader.create(vocab_size=own, bidirectional=bidirectional, **shape, key=k_encoder)
        if source_vocab_size is None:
            encoder = encoder.with_embedding(None)
        decoder = Decoder.create(
            vocab_size, encoder.output_size, attention=attention, tied=tied, **shape, key=k_decoder
        )
        return cls(encoder, decoder, reverse_source)

    @property
    def vocab_size(self) -> int:
        """Return the size of the target vocabulary."""
        return self.decoder.vocab_size

    @property
    def stepped_cells(self) -> tuple[Cell, ...]:
        """Return the cells whose next input depends on their state."""
        return self.decoder.stepped_cells

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        table = self.encoder.embedding
        return {
            "vocab_size": self.vocab_size,
            "source_vocab_size": None if table is None else table.shape[0],
            "bidirectional": self.encoder.is_bidirectional,
            "reverse_source": self.reverse_source,
            **self.decoder.describe(),
        }

    def encode(
        self,
        source: Int[Array, "B S"],
        lengths: Int[Array, "B"],
        key: PRNGKeyArray | None = None,
    ) -> Condition:
        """Build the decoder's condition."""
        encoder = self.encoder
        if encoder.embedding is None:
            encoder = encoder.with_embedding(self.decoder.embedding)
        if self.reverse_source:
            source = reverse(source.T[..., None], lengths)[..., 0].T
        outputs, last = encoder(source, lengths, key)
        if self.decoder.attention is None:
            return Condition(last, None)
        if self.reverse_source:  # back to the order of the text
            outputs = reverse(outputs, lengths)
        return Condition(
            last, self.decoder.attention.remember(jnp.swapaxes(outputs, 0, 1), lengths)
        )

    def __call__(
        self,
        source: Int[Array, "B S"],
        source_lengths: Int[Array, "B"],
        target: Int[Array, "B T"],
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "B T E"]:
        """Return the readouts after START and the tokens of y; pass them to `logits` for scores."""
        k_encoder, k_decoder = (None, None) if key is None else jax.random.split(key)
        condition = self.encode(source, source_lengths, k_encoder)
        return self.decoder(target, condition, lengths, k_decoder)

    def logits(self, readouts: Float[Array, "*N E"]) -> Float[Array, "*N V"]:
        """Return scores of the next token."""
        return self.decoder.logits(readouts)
