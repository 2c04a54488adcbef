"""The native kernels against a lax.scan in float64, differentiated by JAX."""

import ctypes
import resource
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspool import library

if library.why_not() is not None:
    pytest.skip(f"no native kernels: {library.why_not()}", allow_module_level=True)

from tests.kernels.native_calls import (
    CELLS,
    FIELDS,
    GATES,
    ISAS,
    LIBRARY,
    MAX_BATCH,
    MAX_HIDDEN,
    MAX_STEPS,
    assert_close,
    call,
    draw_inputs,
    run_native,
    run_scan,
)
from tests.kernels.sampling_calls import (  # after the skip: it needs the library
    Rule,
    draw_network,
    prepare,
)


@pytest.fixture(autouse=True)
def automatic_isa():
    yield
    LIBRARY.unspool_force_isa(b"")


# ---- native equals scan ----


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=100, deadline=None)
@given(
    steps=st.integers(1, MAX_STEPS),
    batch=st.integers(1, MAX_BATCH),
    hidden=st.one_of(
        st.integers(1, MAX_HIDDEN), st.sampled_from([1, 15, 16, 17, 31, 32, 33, 64, 128])
    ),
    full=st.booleans(),
    threads=st.integers(1, 5),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
    overwrite=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_scan(cell, isa, steps, batch, hidden, full, threads, scale, overwrite, seed):
    LIBRARY.unspool_force_isa(isa.encode())
    inputs = draw_inputs(cell, steps, batch, hidden, seed, scale)
    if full:
        inputs["lengths"][:] = steps
    native = run_native(cell, inputs, threads, overwrite)
    scan = partial(run_scan, cell, inputs, (MAX_STEPS, MAX_BATCH, MAX_HIDDEN))
    # Large weights multiply rounding from step to step, in any float32.
    assert_close(native, scan(np.float64), in_float32=lambda: scan(np.float32))
    ended = np.arange(steps)[:, None] >= inputs["lengths"]
    for name in ("hs", "cs", "gates", "hn", "d_projected", "d_recurrent"):
        assert not native.get(name, np.zeros((*ended.shape, 1)))[ended].any(), name


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sizes", [(0, 3, 5), (2, 0, 5), (3, 1, 1)])
def test_empty_sizes(cell, sizes):
    inputs = draw_inputs(cell, *sizes, seed=0)
    native = run_native(cell, inputs, threads=3)
    if 0 in sizes:
        assert not native["d_w_hh"].any()
    if sizes[0] == 0:
        np.testing.assert_array_equal(native["h_last"], inputs["h0"])
        np.testing.assert_array_equal(native["d_h0"], inputs["d_h_last"])


@pytest.mark.parametrize("cell", CELLS)
def test_results_do_not_depend_on_threads_or_batch(cell):
    inputs = draw_inputs(cell, 9, 29, 70, seed=1)
    whole = run_native(cell, inputs)
    for threads in (2, 3, 4, 7):
        for name, array in run_native(cell, inputs, threads).items():
            np.testing.assert_array_equal(array, whole[name], err_msg=name)
    row = 13
    of_row = {"w_hh": lambda a: a, "b_hn": lambda a: a, "lengths": lambda a: a[row : row + 1]}

    def cut(a):
        return a[:, row : row + 1] if a.ndim == 3 else a[row : row + 1]

    alone = run_native(cell, {name: of_row.get(name, cut)(array) for name, array in inputs.items()})
    for name in alone.keys() - {"d_w_hh"}:
        np.testing.assert_array_equal(alone[name], cut(whole[name]), err_msg=name)


@pytest.mark.parametrize(("cell", "unused"), [("lstm", ("cs", "gates")), ("gru", ("gates", "hn"))])
def test_inference_gives_the_same_outputs(cell, unused):
    sizes = (6, 19, 45)
    inputs = draw_inputs(cell, *sizes, seed=2)
    whole = call(f"{cell}_forward", sizes, inputs)
    for name, array in call(f"{cell}_forward", sizes, inputs, threads=2, null=unused).items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("where", ["projected", "h0", "c0", "w_hh", "d_hs", "d_h_last"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("cell", CELLS)
def test_nan_and_infinity_propagate_as_in_the_scan(cell, value, where, isa):
    LIBRARY.unspool_force_isa(isa.encode())
    sizes = (4, 3, 19)
    inputs = draw_inputs(cell, *sizes, seed=3)
    inputs["lengths"][:] = sizes[0]
    inputs[where][(1,) * inputs[where].ndim] = value
    native, reference = (
        run_native(cell, inputs, threads=2),
        run_scan(cell, inputs, sizes, np.float32),
    )
    for name, array in native.items():
        expected = reference[name]
        if name.startswith("d_"):
            # JAX writes g (1 - y^2) as (g + g y)(1 - y), which makes NaN of some infinities.
            array, expected = (np.where(np.isfinite(a), a, np.nan) for a in (array, expected))
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-4, err_msg=name)


# ---- weight gradient ----


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("gates", "steps", "batch", "hidden"),
    # up to and past the kernel's blocks of 256 rows; units that fill no vector, tile or panel
    [
        (1, 1, 1, 1),
        (4, 255, 1, 15),
        (1, 1, 256, 16),
        (3, 257, 1, 33),
        (4, 30, 19, 67),
        (1, 9, 71, 130),
    ],
)
def test_weight_gradient_is_the_product(gates, steps, batch, hidden, isa):
    LIBRARY.unspool_force_isa(isa.encode())
    rng = np.random.default_rng(6)
    shapes = {"d": (steps, batch, gates * hidden), "hs": (steps, batch, hidden)}
    inputs = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    inputs["h0"] = rng.normal(size=(batch, hidden)).astype(np.float32)
    inputs["lengths"] = np.full(batch, steps, np.int32)
    before = np.concatenate([inputs["h0"][None], inputs["hs"][:-1]]).astype(np.float64)
    sizes = (steps, batch, hidden, gates * hidden)
    one = call("weight_gradient", sizes, inputs)
    sums = inputs["d"].astype(np.float64).sum((0, 1))
    product = np.einsum("tbg,tbh->gh", inputs["d"], before)
    assert_close(one, {"d_weights": product, "d_bias": sums})
    for threads in (2, 3, 7):
        many = call("weight_gradient", sizes, inputs, threads)
        np.testing.assert_array_equal(many["d_weights"], one["d_weights"])
        np.testing.assert_array_equal(many["d_bias"], one["d_bias"])


# ---- activations ----


TINY = np.finfo(np.float32).tiny  # below the smallest normal float a result may be 0


def check_activations(x, isas):
    """The largest errors (absolute, relative) of each function and instruction set."""
    errors = {}
    x = x[~np.isnan(x)]
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        exact = {"tanh": np.tanh(wide), "sigmoid": 1 / (1 + np.exp(-wide))}
    for name, expected in exact.items():
        saturated = np.abs(x) >= 9.02 if name == "tanh" else (x >= 17) | (x < -104)
        size = np.maximum(np.abs(expected), TINY)
        for isa in isas:
            LIBRARY.unspool_force_isa(isa.encode())
            y = activation(name, x)
            np.testing.assert_array_equal(y[saturated], np.round(expected[saturated]))
            error = np.abs(y - expected)
            absolute = error.max(initial=0)
            error -= TINY
            error /= size
            errors[name, isa] = absolute, error.max(initial=0)
    assert max(map(max, errors.values())) <= 1e-6, errors
    return errors


def activation(name, x):
    y = np.empty_like(x)
    pointers = (ctypes.c_void_p(a.ctypes.data) for a in (x, y))
    getattr(LIBRARY, f"unspool_{name}")(*pointers, ctypes.c_int64(x.size))
    return y


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activations_of_nan_are_nan(name, isa):
    LIBRARY.unspool_force_isa(isa.encode())
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF])
    assert np.isnan(activation(name, bits.astype(np.uint32).view(np.float32))).all()


def test_activations_over_every_exponent():
    tops = np.arange(2**13, dtype=np.uint32) << 19  # sign, exponent and four bits of the fraction
    rest = np.random.default_rng(4).integers(0, 2**19, 512, np.uint32)
    x = np.concatenate([tops, (tops[:, None] | rest).ravel()]).view(np.float32)
    check_activations(x, ISAS)


@pytest.mark.parametrize("isa", ISAS)
def test_activations_are_exact_where_they_can_be(isa):
    LIBRARY.unspool_force_isa(isa.encode())
    x = np.array([0.0, -0.0, np.inf, -np.inf, 9.02, -9.02, 1e-30, -1e-30], np.float32)
    expected = np.array([0.0, -0.0, 1, -1, 1, -1, 1e-30, -1e-30], np.float32)
    np.testing.assert_array_equal(activation("tanh", x).view(np.uint32), expected.view(np.uint32))
    x = np.array([0.0, -0.0, np.inf, -np.inf, 17, -110], np.float32)
    np.testing.assert_array_equal(activation("sigmoid", x), [0.5, 0.5, 1, 0, 1, 0])


@pytest.mark.soak
def test_activations_on_every_float():
    worst = {}
    for start in range(0, 2**32, 2**20):
        x = np.arange(start, start + 2**20, dtype=np.uint32).view(np.float32)
        for key, errors in check_activations(x, ISAS).items():
            worst[key] = np.maximum(errors, worst.get(key, 0))
    for (name, isa), (absolute, relative) in worst.items():
        print(f"{name} {isa}: absolute {absolute:.3g}, relative {relative:.3g}")


# ---- many calls ----


def test_several_calls_at_once():
    jobs = [
        (cell, draw_inputs(cell, 12, 20 + i, 50, seed=i), 1 + i % 4)
        for i, cell in enumerate(CELLS * 3)
    ]
    alone = [run_native(cell, inputs) for cell, inputs, _ in jobs]
    failures = []

    def work(job, expected):
        cell, inputs, threads = job
        try:
            for _ in range(20):
                for name, array in run_native(cell, inputs, threads).items():
                    np.testing.assert_array_equal(array, expected[name])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(jobs, alone, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_memory_does_not_grow():
    assert growth_kib(prepared_calls(), 2000) < 512


@pytest.mark.soak
def test_memory_does_not_grow_over_a_million_steps():
    growth = growth_kib(prepared_calls(), 1_000_000)
    print(f"resident memory after a million steps: {growth:+} KiB")
    assert growth < 512  # half a byte a step


def growth_kib(calls, steps):
    """By how much resident memory grows over the steps, after a tenth as many to warm up."""

    def run(steps):
        for _ in range(steps):
            for function, arguments in calls:
                assert function(arguments, 2) == 0
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() // 1024

    before = run(steps // 10)
    return run(steps) - before


def prepared_calls():
    """Both passes and the weight gradient of every cell, and a sampled token: small ones,
    but for an LSTM that is worth two threads. The arrays live as long as the calls.
    """
    calls = []
    for cell, sizes in [("rnn", (2, 3, 17)), ("gru", (2, 3, 17)), ("lstm", (2, 7, 140))]:
        inputs = draw_inputs(cell, *sizes, seed=5)
        inputs["lengths"][:] = sizes[0]
        inputs |= {name: array.copy() for name, array in run_native(cell, inputs).items()}
        inputs["d"] = inputs.get("d_recurrent", inputs["d_projected"])
        inputs["d_weights"] = inputs["d_w_hh"]
        inputs["d_bias"] = np.zeros(len(inputs["d_w_hh"]), np.float32)
        for name in (f"{cell}_forward", f"{cell}_backward", "weight_gradient"):
            fields = [f.split("=")[0] for f in FIELDS[name].split() if f != ":"]
            outputs = [GATES[cell] * sizes[2]] if name == "weight_gradient" else []
            addresses = [inputs[field].ctypes.data for field in fields]
            numbers = [*sizes, 1, *outputs, *addresses]
            packed = (ctypes.c_int64 * len(numbers))(*numbers)
            packed.arrays = inputs
            calls.append((getattr(LIBRARY, f"unspool_{name}"), packed))
    rng = np.random.default_rng(6)
    network = draw_network(rng, "gru", 2, 70, [17, 33], 0)
    first, given = np.zeros(2, np.int32), np.full(1, -1, np.int32)
    noise = rng.gumbel(size=(1, 2, 70)).astype(np.float32)
    token, _ = prepare("gru", "int8", network, first, given, noise, Rule(0.9, 40, 0.9))
    return [*calls, (LIBRARY.unspool_sample, ctypes.byref(token))]
