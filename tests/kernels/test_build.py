"""The native library's build: without a compiler, under sanitizers, and for NEON."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")


def configure(build: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["cmake", "-S", str(ROOT), "-B", str(build), *options]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_without_a_compiler_nothing_is_built_and_nothing_fails(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("cmake", "make", "ninja"):
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    done = configure(tmp_path / "build", PATH=str(folder), CXX="", CC="")
    assert done.returncode == 0, done.stderr
    assert "no C++ compiler, native kernels are left out" in done.stdout


def build_stress(folder: Path, *options: str) -> Path:
    """The stress driver, which compares its numbers with those of the plain kernels."""
    if "-DCMAKE_CXX_COMPILER" not in "".join(options) and shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    done = configure(folder, "-DUNSPOOL_STRESS=ON", *options)
    assert done.returncode == 0, done.stderr
    build = ["cmake", "--build", str(folder), "--target", "stress", "--parallel", "2"]
    built = subprocess.run(build, capture_output=True, text=True)
    output = built.stdout + built.stderr
    if re.search(r"cannot find \S*san|(unrecognized|unsupported)[^\n]*-fsanitize", output):
        pytest.skip("the compiler has no such sanitizer, or not its runtime")
    assert built.returncode == 0, output
    return folder / "stress"


def run_stress(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer finds no place for its memory under this kernel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "calls" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("sanitizers", "isas"), [("address,undefined", "avx2"), ("thread", "")])
def test_the_kernels_are_clean_under_sanitizers(tmp_path, sanitizers, isas):
    """A few shapes, the plain kernels and AVX2, little optimised: what a test may take of time."""
    options = [f"-DUNSPOOL_SANITIZE={sanitizers}", f"-DUNSPOOL_ISAS={isas}"]
    run_stress(build_stress(tmp_path, *options, "-DCMAKE_CXX_FLAGS_RELEASE=-O1"), "quick")


@pytest.mark.soak
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_kernels_as_installed_are_clean_under_sanitizers(tmp_path, sanitizers):
    run_stress(build_stress(tmp_path, f"-DUNSPOOL_SANITIZE={sanitizers}"))


@pytest.mark.soak
def test_neon_gives_the_numbers_of_this_processor(tmp_path):
    compiler = shutil.which("aarch64-linux-gnu-g++")
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if compiler is None or emulator is None:
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64")
    here = build_stress(tmp_path / "here")
    system = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    tools = [f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_EXE_LINKER_FLAGS=-static"]
    there = build_stress(tmp_path / "there", *system, *tools)
    run_stress(here, "quick", tmp_path / "expected")
    run_stress(emulator, there, "quick", tmp_path / "found")
    found, expected = read_arrays(tmp_path / "found"), read_arrays(tmp_path / "expected")
    errors = [
        np.abs(a - b).max(initial=0) / np.abs(b).max(initial=0.1)
        for a, b in zip(found, expected, strict=True)
    ]
    print(f"NEON, {sum(map(len, found))} numbers: largest difference {max(errors):.1e}")
    assert max(errors) < 1e-5


def read_arrays(path: Path) -> list[np.ndarray]:
    """What `stress quick FILE` wrote: each array's length, then its numbers."""
    words, arrays = np.fromfile(path, np.float32), []
    while words.size:
        end = 2 + int(words[:2].view(np.int64)[0])
        arrays.append(words[2:end])
        words = words[end:]
    return arrays
