"""The encoder-decoder against the same equations in torch.nn (the benchmark's peer)."""

import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import assert_close

from unspool import Translator

torch = pytest.importorskip("torch")

from benchmarks.translate_speed import SIZE, Peer, search  # noqa: E402

from unspool.decoding.beam import beam_search  # noqa: E402
from unspool.decoding.hypotheses import ConditionStepper  # noqa: E402

V, END = 12, 3
draw = np.random.default_rng(0)
SOURCE, TARGET = draw.integers(0, V, (3, 5)), draw.integers(0, V, (3, 4))
LENGTHS = np.array([5, 2, 4])


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["luong", "bahdanau"])
def test_logits_and_beams_are_torchs(attention):
    model = Translator.create(V, hidden_size=SIZE, embedding_size=SIZE, attention=attention)
    peer = Peer(V, attention).eval()
    peer.take(model)
    given = jnp.asarray(SOURCE), jnp.asarray(LENGTHS)
    theirs = torch.from_numpy(SOURCE), torch.from_numpy(LENGTHS)
    ours = model.logits(model(*given, jnp.asarray(TARGET)))
    with torch.no_grad():
        wanted = peer(*theirs, torch.from_numpy(TARGET)).numpy()
    assert_close(ours, wanted, rtol=1e-4, atol=1e-5)
    found = beam_search(
        ConditionStepper(model.decoder), model.encode(*given), start=END, end=END, num_beams=3,
        max_new_tokens=20,
    )  # fmt: skip
    rows = zip(found.tokens[:, 0].tolist(), found.lengths[:, 0].tolist(), strict=True)
    assert [row[:n] for row, n in rows] == search(peer, *theirs, END, 3)
