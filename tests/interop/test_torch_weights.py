"""Checkpoints of torch's read without it; hostile ones refused without a side effect."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from unspool.errors import DataError
from unspool.interop.torch_weights import read_torch_weights


class Call:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def write(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    return path


def test_state_dict_equals_torch(tmp_path):
    torch = pytest.importorskip("torch")
    base = torch.arange(12, dtype=torch.float32)
    state = {"a": base.view(3, 4).T, "b": base[5:], "h": base.half(), "n": torch.tensor(7)}
    torch.save(state, tmp_path / "w.pt")
    read = read_torch_weights(tmp_path / "w.pt")
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())
    torch.save({"x": base.bfloat16()}, tmp_path / "b.pt")
    np.testing.assert_array_equal(
        read_torch_weights(tmp_path / "b.pt")["x"].astype(np.float32), base.numpy()
    )


def test_calls_are_refused_and_not_made(tmp_path):
    mark = tmp_path / "mark"
    for call in (Call(os.system, f"touch {mark}"), Call(eval, f"open({str(mark)!r}, 'w')")):
        for protocol in (0, 2, 4):
            with pytest.raises(DataError, match="not allowed"):
                read_torch_weights(write(tmp_path / "w.pt", pickle.dumps({"a": call}, protocol)))
    assert not mark.exists()


def test_damaged_files_are_refused(tmp_path):
    for data in (b"", b"\x80\x02", pickle.dumps([1]), b"not a pickle"):
        with pytest.raises(DataError):
            read_torch_weights(write(tmp_path / "w.pt", data))
    (tmp_path / "cut.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:40])
    with pytest.raises(DataError):
        read_torch_weights(tmp_path / "cut.pt")
