"""Every time loop with its own backward pass against the scan with automatic gradients."""

import subprocess
import sys
import threading
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import (
    KINDS,
    LeakyCell,
    assert_close,
    assert_equal,
    create_leaky,
    needs_library,
    random_cell,
    random_like,
)

from unspool import LSTM, LSTMState, library, unroll
from unspool.cells import CELLS
from unspool.kernels import (
    AUTODIFF,
    NATIVE,
    STORED_GATES,
    Programs,
    backend_of,
    join_directions,
    programs_of,
    record,
    register_program,
    run,
    scan_loop,
)
from unspool.kernels.program import execute

B, T, H = 3, 6, 4
LENGTHS = {"full": None, "mixed": [6, 1, 3], "empty": [0, 0, 0], "longer": [9, 6, 7]}


@eqx.filter_jit
def with_gradients(loop: Any, cell: Any, projected: Any, state: Any, lengths: Any) -> Any:
    steps, batch, _ = projected.shape
    cotangents = random_like((jnp.zeros((steps, batch, cell.hidden_size)), state), seed=4)
    results, pull_back = jax.vjp(lambda *a: loop(*a, lengths), cell, projected, state)
    return results, pull_back(cotangents)


def loop_of(name: str, cell: Any, projected: Any, state: Any, lengths: Any) -> Any:
    programs = programs_of(cell)
    program = programs.native if name == NATIVE else programs.stored_gates
    return execute(program, projected, programs.weights(cell), state, lengths)


LOOPS = {name: partial(loop_of, name) for name in (NATIVE, STORED_GATES)}  # compiled once each


def draw(kind: str, steps: int = T, batch: int = B, hidden: int = H) -> tuple[Any, Any, Any]:
    cell = random_cell(kind, 2, hidden)
    state = random_like(cell.initial_state(batch), seed=2)
    return cell, random_like(jnp.zeros((steps, batch, len(cell.bias))), seed=3), state


@pytest.mark.parametrize("name", [pytest.param(NATIVE, marks=needs_library), STORED_GATES])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_programs_give_the_outputs_and_gradients_of_the_scan(kind: str, lengths: Any, name: str):
    cell, projected, state = draw(kind)
    lengths = None if lengths is None else jnp.array(lengths)
    expected = with_gradients(scan_loop, cell, projected, state, lengths)
    assert_close(with_gradients(LOOPS[name], cell, projected, state, lengths), expected)


@needs_library
@pytest.mark.parametrize("kind", KINDS)
def test_native_equals_the_scan_at_an_odd_size(kind: str):
    _, projected, state = draw(kind, steps=11, batch=19, hidden=37)
    # Initial weights: with larger ones the network is chaotic, and rounding grows with time.
    cell = CELLS[kind].create(2, 37, key=jax.random.key(1))
    lengths = jnp.array(np.random.default_rng(5).integers(0, 12, 19))
    expected = with_gradients(scan_loop, cell, projected, state, lengths)
    assert_close(with_gradients(run, cell, projected, state, lengths), expected, atol=1e-5)


@needs_library
def test_native_is_what_runs_by_default():
    backend = backend_of(random_cell("lstm", 2, H))
    assert backend.name == NATIVE
    assert (
        backend.reason
        == f"C++ kernels for {library.instruction_set()}, {library.threads()} threads"
    )


@needs_library
def test_an_argument_that_a_kernel_may_overwrite_can_still_be_used():
    cell, projected, state = draw("lstm")

    @jax.jit
    def use_twice(projected: Any) -> Any:
        doubled = 2 * projected
        gradient = jax.grad(lambda p: jnp.sum(run(cell, p, state)[0]))(doubled)
        return gradient, doubled

    assert_equal(use_twice(projected)[1], 2 * projected)


@needs_library
def test_programs_from_several_threads_at_once():
    cell, projected, state = draw("gru", steps=20, batch=16, hidden=33)
    loop = jax.jit(lambda p: run(cell, p, state)[0])
    expected, found = loop(projected), []
    workers = [threading.Thread(target=lambda: found.append(loop(projected))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 8
    for outputs in found:
        assert_equal(outputs, expected)


@needs_library
def test_unroll_under_vmap():
    cell = random_cell("lstm", 2, H)
    xs = random_like(jnp.zeros((2, B, T, 2)), seed=6)
    outputs = jax.vmap(lambda x: unroll(cell, x)[0])(xs)
    assert_close(outputs, jnp.stack([unroll(cell, x)[0] for x in xs]))


@pytest.mark.parametrize("kind", KINDS)
def test_layer_norm_runs_through_the_scan(kind: str):
    assert backend_of(random_cell(kind, 2, H, layer_norm=True)) == (AUTODIFF, "layer norm")


def test_other_precisions_run_through_the_scan():
    half = jax.tree.map(lambda w: w.astype(jnp.bfloat16), random_cell("gru", 2, H))
    assert backend_of(half) == (STORED_GATES, "weights are bfloat16")


def test_without_the_library_the_scan_runs(monkeypatch):
    monkeypatch.setattr(library, "find_library", lambda: None)
    library.why_not.cache_clear()
    try:
        name, reason = backend_of(random_cell("rnn", 2, H))
    finally:
        library.why_not.cache_clear()
    assert name == STORED_GATES
    assert reason == "the native library was not built: no C++ compiler at installation"


def test_the_library_can_be_turned_off():
    code = "import unspool, jax; from unspool.kernels import backend_of; print(backend_of("
    code += "unspool.LSTM.create(1, 1, key=jax.random.key(0))))"
    command = ["env", "UNSPOOL_NATIVE=0", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "UNSPOOL_NATIVE=0 is set" in done.stdout
    assert STORED_GATES in done.stdout


def test_a_cell_of_the_users_own_runs_through_the_scan():
    cell = create_leaky(2, H, key=jax.random.key(0))
    assert isinstance(cell, LeakyCell)
    assert backend_of(cell) == (AUTODIFF, "LeakyCell has no program of its own")


@pytest.mark.parametrize("kind", KINDS)
def test_programs_are_of_exactly_one_class(kind: str):
    class Other(CELLS[kind]):
        pass

    other = Other.create(2, H, key=jax.random.key(0))
    assert programs_of(random_cell(kind, 2, H)) is not None
    assert programs_of(other) is None
    assert backend_of(other) == (AUTODIFF, "Other has no program of its own")
    assert join_directions(other, other) is None


def test_a_class_may_register_a_program_of_its_own():
    class Registered(LSTM):
        pass

    built_in = programs_of(random_cell("lstm", 2, H))
    register_program(Registered, Programs(built_in.weights, built_in.stored_gates))
    cell = Registered.create(2, H, key=jax.random.key(0))
    assert backend_of(cell) == (STORED_GATES, "Registered has no native program")
    projected = random_like(jnp.zeros((T, B, 4 * H)), seed=3)
    state = cell.initial_state(B)
    assert_close(run(cell, projected, state), scan_loop(cell, projected, state))
    assert list(record(cell, projected, state)[2]) == ["h", "c", "i", "f", "g", "o"]
    assert join_directions(cell, cell) is None
    normed = Registered.create(2, H, layer_norm=True, key=jax.random.key(0))
    assert backend_of(normed) == (AUTODIFF, "layer norm")


def test_a_subclass_keeps_its_own_step():
    class Forgetful(LSTM):
        def step(self, state: LSTMState, projected: Any) -> LSTMState:
            return LSTMState(jnp.ones_like(state.h), state.c)

    cell = Forgetful.create(2, H, key=jax.random.key(0))
    assert (unroll(cell, jnp.ones((B, 2, 2)))[0] == 1).all()
