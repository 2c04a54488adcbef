"""The native library's build: without a compiler, and under the sanitizers."""

import os
import shutil
import subprocess
from pathlib import Path

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


@pytest.mark.soak
@pytest.mark.parametrize("sanitizer", ["address", "undefined", "thread"])
def test_the_kernels_are_clean_under_a_sanitizer(tmp_path, sanitizer):
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    options = [f"-DUNSPOOL_SANITIZE={sanitizer}", "-DUNSPOOL_STRESS=ON"]
    assert configure(tmp_path, *options).returncode == 0
    build = ["cmake", "--build", str(tmp_path), "--target", "stress", "--parallel", "2"]
    built = subprocess.run(build, capture_output=True, text=True)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip(f"the runtime of the {sanitizer} sanitizer is not installed")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(tmp_path / "stress")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "calls" in done.stdout
