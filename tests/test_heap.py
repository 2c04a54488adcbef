"""What a training step frees stays with the process for the next step."""

import os
import subprocess
import sys

import pytest

STEPS = """
import resource
import jax, jax.numpy as jnp
import unspool
model = unspool.LanguageModel.create(65, hidden_size=256)
tokens = jnp.zeros((64, 100), int)

@jax.jit
def gradient(model):
    return jax.grad(lambda m: m(tokens, m.initial_state(64))[0].var())(model)

faults = []
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    jax.block_until_ready(gradient(model))
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[-10:]))
"""


def page_faults(**environment: str) -> int:
    """Of a gradient, once the holes between blocks that stay have been used.

    The least of ten: concurrent work can change the order in which blocks are taken and freed.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env={**kept, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an allocator of Linux")
def test_a_step_takes_no_new_pages():
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        pytest.skip("not glibc")
    assert page_faults() < 1000  # 15,000 otherwise


@pytest.mark.parametrize(
    "environment",
    [
        {"UNSPOOL_MALLOC": "0"},
        {"MALLOC_ARENA_MAX": "4"},
        {"GLIBC_TUNABLES": "glibc.malloc.arena_max=4"},
    ],
)
def test_the_users_own_settings_stay(environment):
    code = "import unspool.heap as h; print(h.keep_freed_memory())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"
