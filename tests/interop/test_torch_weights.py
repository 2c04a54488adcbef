"""Checkpoints of torch's read without it; hostile ones refused without a side effect."""

import collections
import importlib
import io
import os
import pickle
import pickletools
import struct
import zipfile

import numpy as np
import pytest

from unspool.errors import DataError
from unspool.interop import pickle_reader
from unspool.interop.torch_weights import read_torch_weights

NUMBERS = np.arange(6, dtype=np.float32)
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ"


class Call:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __call__(self):
        """A pickle's function must be callable when it is written."""

    def __reduce__(self):
        return self.call


def tensor(offset=b"K\0", shape=b"K\x06\x85", strides=b"K\x01\x85") -> bytes:
    """The opcodes of a tensor in the storage of six numbers."""
    return REBUILD + b"(" + STORAGE + offset + shape + strides + b"\x89tR"


def state(*tensors: bytes) -> bytes:
    """The pickle of a dictionary of tensors named a, b, ..."""
    items = b"".join(b"X\x01\0\0\0" + bytes([97 + i]) + t for i, t in enumerate(tensors))
    return b"\x80\x02}(" + items + b"u."


def zip_form(data: bytes, numbers: bytes = NUMBERS.tobytes(), packing=zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", numbers)
    return file.getvalue()


def legacy_form(data: bytes, keys=("0",), count=6, numbers: bytes = NUMBERS.tobytes()) -> bytes:
    heads = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    before = b"".join(pickle.dumps(head, 2) for head in heads)
    return before + data + pickle.dumps(list(keys), 2) + struct.pack("<q", count) + numbers


@pytest.fixture
def read(tmp_path):
    def of(data: bytes) -> dict[str, np.ndarray]:
        (tmp_path / "w.pth").write_bytes(data)
        return read_torch_weights(tmp_path / "w.pth")

    return of


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_state_dict_equals_torch(tmp_path, zipped, wrapped):
    torch = pytest.importorskip("torch")
    base = torch.arange(12, dtype=torch.float32)
    tensors = {"a": base.view(3, 4).T, "b": base[5:], "h": base.half(), "n": torch.tensor(7)}
    tensors |= {"empty": torch.zeros(0, 3), "x": base.bfloat16(), "p": torch.nn.Parameter(base)}
    saved = {"state_dict": tensors, "epoch": 3, "lr": 0.5} if wrapped else tensors
    torch.save(saved, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    found = read_torch_weights(tmp_path / "w.pt")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name].astype(np.float32), tensor.detach().float())
        assert found[name].shape == tensor.shape
        assert found[name].size == 0 or not found[name].flags.writeable
    assert np.shares_memory(found["a"], found["b"])


def test_a_modules_state_dict_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.BatchNorm1d(3)  # its state dict is an OrderedDict with an attribute
    torch.save(module.state_dict(), tmp_path / "w.pt")
    assert set(read_torch_weights(tmp_path / "w.pt")) == set(module.state_dict())


@pytest.mark.parametrize("form", [zip_form, legacy_form])
def test_bytes_written_by_hand(read, form):
    found = read(form(state(tensor(), tensor(b"K\1", b"K\2K\2\x86", b"K\1K\2\x86"))))
    np.testing.assert_array_equal(found["a"], NUMBERS)
    np.testing.assert_array_equal(found["b"], [[1, 3], [2, 4]])


HOSTILE_TENSORS = {
    "beyond the end": tensor(b"K\1"),
    "before the beginning": tensor(b"J\xff\xff\xff\xff"),
    "long strides": tensor(strides=b"K\2\x85"),
    "negative strides": tensor(strides=b"J\xff\xff\xff\xff\x85"),
    "more numbers than there are": tensor(shape=b"J\0\0\0\x7f\x85", strides=b"K\0\x85"),
    "overflowing product": tensor(shape=b"\x8a\x09" + b"\0" * 8 + b"\1\x85", strides=b"K\0\x85"),
    "empty, with a huge side": tensor(
        shape=b"K\0\x8a\x09" + b"\0" * 8 + b"\1\x86", strides=b"K\0K\0\x86"
    ),
    "shape without strides": tensor(strides=b")"),
    "too many axes": tensor(shape=b"(" + b"K\1" * 40 + b"t", strides=b"(" + b"K\1" * 40 + b"t"),
    "a shape of truths": tensor(shape=b"\x88\x85"),
    "a shape that is a list": tensor(shape=b"]"),
    "no storage": REBUILD + b"(NK\0K\6\x85K\1\x85\x89tR",
    "storage of strings": tensor().replace(b"FloatStorage", b"TextStorage"),
    "storage too large": tensor().replace(b"K\x06tQ", b"J\xff\xff\xff\x7ftQ"),
    "storage below nothing": tensor().replace(b"K\x06tQ", b"J\xff\xff\xff\xfftQ"),
    "storage in two types": tensor() + b"X\1\0\0\0b" + tensor().replace(b"Float", b"Int"),
    "storage of another name": tensor().replace(b"\x000X", b"\x009X"),
    "storage outside the archive": tensor().replace(b"\1\0\0\x000X", b"\7\0\0\x00../../eX"),
}


@pytest.mark.parametrize("form", [zip_form, legacy_form])
@pytest.mark.parametrize("hostile", HOSTILE_TENSORS.values(), ids=HOSTILE_TENSORS)
def test_hostile_tensors_are_refused(read, form, hostile):
    with pytest.raises(DataError):
        read(form(state(hostile)))


def test_calls_are_refused_and_not_made(read, tmp_path):
    mark = tmp_path / "mark"
    chain = Call(getattr, Call(importlib.import_module, "os"), "system")
    calls = (
        Call(os.system, f"touch {mark}"),
        Call(eval, f"open({str(mark)!r}, 'w')"),
        Call(chain, f"touch {mark}"),
        Call(map, os.system, [f"touch {mark}"]),
        Call(collections.OrderedDict, [("a", 1)]),
    )
    for call in calls:
        for protocol in (0, 2, 4):
            for form in (zip_form, legacy_form):
                with pytest.raises(DataError, match=r"not allowed|does not write"):
                    read(form(pickle.dumps({"a": call}, protocol)))
    assert not mark.exists()


HOSTILE_PICKLES = {
    "attributes for the function": state(REBUILD + b"N}X\1\0\0\0xK\1s\x86b"),
    "attributes for the class": state(b"ccollections\nOrderedDict\nN}X\1\0\0\0xK\1s\x86b"),
    "state for an array": state(tensor() + b"(K\1K\6\x85NNNtb"),
    "a call of a number": state(b"K\1)R"),
    "a call of a string": state(b"X\2\0\0\0os)R"),
    "a call of a storage's type": state(b"ctorch\nFloatStorage\n)R"),
    "a call with a dictionary": state(REBUILD + b"}R"),
    "a dotted name": state(b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n"),
    "a dotted storage": state(b"ctorch.os\nStorage\n"),
    "a class made": state(b"(ccollections\nOrderedDict\no"),
    "an instance made": state(b"(icollections\nOrderedDict\n"),
    "an extension": state(b"\x82\1"),
    "a name from the stack": b"\x80\x04X\2\0\0\0osX\6\0\0\0system\x93.",
    "items for a tuple": b"\x80\x02)K\1a.",
    "items for nothing": b"\x80\x02K\1a.",
    "a list without a beginning": b"\x80\x02K\1t.",
    "a key that is a tuple": b"\x80\x02})K\1s.",
    "a key without a value": b"\x80\x02}(X\1\0\0\0au.",
    "a memo that is not there": b"\x80\x02h\5.",
    "two values": b"\x80\x02K\1K\2.",
    "a list": b"\x80\x02].",
    "nested dictionaries": b"\x80\x02}X\1\0\0\0a}X\1\0\0\0b" + tensor() + b"ss.",
    "nothing": b"",
    "no pickle": b"not a pickle",
    "a text that never ends": b"\x80\x02X\xff\xff\xff\x7fa",
}


@pytest.mark.parametrize("form", [zip_form, legacy_form])
@pytest.mark.parametrize("hostile", HOSTILE_PICKLES.values(), ids=HOSTILE_PICKLES)
def test_tricks_are_refused(read, form, hostile):
    good = read(form(state(tensor())))
    try:
        found = read(form(hostile))
    except DataError:
        pass
    else:  # BUILD is read and ignored; whatever it was for must be a plain array then
        assert {name: type(value) for name, value in found.items()} == {"a": np.ndarray}
        np.testing.assert_array_equal(found["a"], NUMBERS)
    assert not hasattr(collections.OrderedDict, "x")
    np.testing.assert_array_equal(read(form(state(tensor())))["a"], good["a"])


def test_doubling_nests_cost_no_time(read):
    nest = b")" + b"q\0h\0\x86" * 60  # 2^60 empty tuples, were they ever walked through
    for hostile in (nest, tensor(shape=nest), nest + b"R", nest + b"Q", REBUILD + nest + b"R"):
        with pytest.raises(DataError):
            read(zip_form(state(hostile)))
    with pytest.raises(DataError, match="dictionary of names"):
        read(zip_form(b"\x80\x02}" + nest + b"K\1s."))
    with pytest.raises(DataError):
        read(zip_form(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."))


def test_a_memo_place_takes_no_memory(read):
    found = read(zip_form(state(tensor() + b"r\xff\xff\xff\x7f")))  # Python's would reserve 32 GB
    np.testing.assert_array_equal(found["a"], NUMBERS)


def test_archives_that_unpack_to_more_than_they_are(read, tmp_path):
    with pytest.raises(DataError, match="compressed"):
        read(zip_form(state(tensor()), bytes(10**7), zipfile.ZIP_DEFLATED))
    data = zip_form(state(tensor()))
    at = data.rindex(b"archive/data/0") - 46 + 20  # the last member's sizes in the directory
    with pytest.raises(DataError):
        read(data[:at] + struct.pack("<II", 2**31, 2**31) + data[at + 8 :])


def test_pickles_that_are_too_large(read, monkeypatch):
    monkeypatch.setattr(pickle_reader, "MAX_PICKLE_BYTES", 1000)
    with pytest.raises(DataError, match="over 1,000 bytes"):
        read(legacy_form(b"\x80\x02N" + b"q\0" * 2000 + b"."))


@pytest.mark.parametrize("form", [zip_form, legacy_form])
def test_files_cut_anywhere_are_refused(read, form):
    data = form(state(tensor()))
    for size in range(len(data)):
        with pytest.raises(DataError):
            read(data[:size])


@pytest.mark.parametrize("form", [zip_form, legacy_form])
def test_changed_bytes_never_escape(read, form):
    data = form(state(tensor(), tensor()))
    draw = np.random.default_rng(0)
    for at in draw.permutation(len(data))[:300]:
        changed = bytearray(data)
        changed[at] ^= draw.integers(1, 256)
        try:
            found = read(bytes(changed))
        except DataError:
            continue
        assert all(value.size <= 6 for value in found.values())


def test_legacy_lists_of_storages(read):
    good = state(tensor())
    for keys in ((), ("0", "0"), ("1",), ("0", "1"), (0,)):
        with pytest.raises(DataError, match="name each of them once"):
            read(legacy_form(good, keys))
    for count in (5, 7, -1, 2**62):
        with pytest.raises(DataError, match="declares 6 numbers"):
            read(legacy_form(good, count=count))


def test_big_endian_files_are_refused(read):
    with pytest.raises(DataError, match="big-endian"):
        read(legacy_form(state(tensor())).replace(b"\x88s.", b"\x89s."))


def test_every_opcode_is_known_or_refused(read):
    for op in pickletools.opcodes:
        with pytest.raises(DataError):
            read(zip_form(b"\x80\x02" + op.code.encode("latin1") + b"\0\0\0\0."))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        read_torch_weights(tmp_path / "nowhere.pth")
