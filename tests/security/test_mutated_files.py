"""Files of every form with bytes changed, cut or added: they are read, or refused in one line."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unspool import UnspoolError
from unspool.data import Pictures, decode_picture, is_tar, read_captions, read_labelled
from unspool.tasks.caption.gather import read_given
from unspool.vision.preparation import open_rows

pytest.importorskip("PIL")


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def packed_npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def idx(array, kind=8):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


def tar(kind=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name in ("a.png", "é" * 60 + "/" + "b" * 80 + ".png", ".hidden", "d/c.png"):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"12345"))
    return file.getvalue()


def picture(form, mode="RGB", **options):
    from PIL import Image

    file = io.BytesIO()
    Image.new(mode, (9, 7), 3).save(file, form, **options)
    return file.getvalue()


IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
SERIES = {"series": np.linspace(0, 1, 24).reshape(4, 3, 2), "labels": np.array([0, 1, 0, 1])}
KARPATHY = {"images": [{"filename": "a.png", "split": "val", "sentences": [{"raw": "a b"}]}]}
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "annotations": [{"image_id": 1, "caption": "a b"}],
}
FILES = {  # name, content
    "series.npz": npz(**SERIES, lengths=np.array([3, 2, 1, 3])),
    "packed.npz": packed_npz(**SERIES),
    "texts.npz": npz(series=SERIES["series"].astype(np.float32), labels=np.array(["a", "b"] * 2)),
    "bytes.npz": npz(images=IMAGES, labels=np.array([b"a", b"b"] * 2)),
    "features.npz": npz(names=np.array(["a", "b"]), features=np.ones((2, 3), np.float16)),
    "images.idx3-ubyte": idx(IMAGES),
    "images.idx": gzip.compress(idx(IMAGES.astype(">f4"), 0x0D)),
    "a.ts": b"# of\n@problemName X\n@timestamps false\n@classLabel true a b\n@data\n"
    b"1,2:3,4:a\n5,6:7,8:b\n",
    "a.csv": b'series,label,"x",y\na,u,1,2\na,u,3,4\nb,v,5,6\n',
    "ucr.tsv": b"1\t0.5\t-1e3\tNaN\n2\t4\t5\t6\n",
    "ucr.txt": b"  1.0e+00  0.5   0.25\n  2.0e+00  1.5  2.5\n",
    "karpathy.json": json.dumps(KARPATHY).encode(),
    "coco.json": json.dumps(COCO, indent=1).encode(),
    "captions.tsv": "[a].png\ta b\nb.png\tc é\n".encode(),
    "token.txt": b"a.png#0\ta b\na.png#1\tc d\n",
    "captions.csv": b'"image","caption"\n"a.png","a, b"\n',
    "pax.tar": tar(),
    "gnu.tar": tar(tarfile.GNU_FORMAT),
    "tar.gz": gzip.compress(tar()),
    "tar.bz2": bz2.compress(tar()),
    "tar.xz": lzma.compress(tar()),
    "a.png": picture("PNG"),
    "p.png": picture("PNG", "P", transparency=3),
    "a.jpg": picture("JPEG"),
    "a.gif": picture("GIF", "P"),
    "a.tif": picture("TIFF", compression="tiff_lzw"),
    "a.bmp": picture("BMP"),
    "a.ppm": picture("PPM"),
    "rows.npy": npy(np.ones((3, 4), np.float16)),
}


def read(path):
    """Read a file in every way in which somebody might."""
    name = path.name
    if "features" in name:
        read_given(path)
    elif "captions" in name or path.suffix == ".json" or "token" in name:
        read_captions(path, "val" if name == "karpathy.json" else None)
    elif "tar" in name:
        is_tar(path)
        for _ in Pictures(path).contents():
            pass
    elif path.suffix in (".png", ".jpg", ".gif", ".tif", ".bmp", ".ppm"):
        decode_picture(path.read_bytes())
    elif path.suffix == ".npy":
        np.asarray(open_rows(path))
    else:
        read_labelled(path)
        with suppress(UnspoolError):  # most of them have one label a sequence
            read_labelled(path, aligned=True)


ODD = st.sampled_from([0, 1, 9, 10, 34, 127, 255])


@st.composite
def mutations(draw):
    """A file's name, and what is to be done to its bytes."""
    name = draw(st.sampled_from(sorted(FILES)))
    content = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["set", "set", "cut", "add", "drop", "repeat"])):
            case "set" if content:
                content[at] = draw(
                    st.sampled_from([0, 1, 9, 10, 34, 127, 255]) | st.integers(0, 255)
                )
            case "cut":
                del content[at:]
            case "add":
                content[at:at] = draw(st.binary(min_size=1, max_size=6))
            case "drop":
                del content[at : at + draw(st.integers(1, 9))]
            case _:
                content[at:at] = content[at : at + draw(st.integers(1, 40))]
    return name, bytes(content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("mutated")
    for name in ("labels.idx1-ubyte", "labels.idx"):
        (path / name).write_bytes(idx(np.array([1, 0, 1, 0], np.uint8)))
    return path


def check(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    said = ""
    try:
        read(path)
    except UnspoolError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_good(folder, name):
    (folder / name).write_bytes(FILES[name])
    read(folder / name)


@settings(max_examples=600, suppress_health_check=list(HealthCheck), deadline=None)
@given(mutations())
def test_mutated_files_raise_our_errors_alone(folder, mutation):
    check(folder, *mutation)


@pytest.mark.soak
@settings(max_examples=60_000, suppress_health_check=list(HealthCheck), deadline=None)
@given(mutations())
def test_mutated_files_raise_our_errors_alone_for_long(folder, mutation):
    check(folder, *mutation)


@pytest.mark.parametrize("name", [name for name in FILES if len(FILES[name]) < 1500])
def test_files_cut_anywhere(folder, name):
    for size in range(len(FILES[name])):
        check(folder, name, FILES[name][:size])
