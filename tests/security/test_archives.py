"""Files of a few kilobytes that would unpack to gigabytes take bounded memory, and one line."""

import bz2
import gzip
import lzma
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

MIB = 1 << 20
READERS = {  # what each kind of file is read with
    "tar": "from unspool.data import Pictures; Pictures(path)",
    "is_tar": "from unspool.data import is_tar; print(is_tar(__import__('pathlib').Path(path)))",
    "picture": "print(unspool.data.decode_picture(path.read_bytes()).shape)",
    "labelled": "from unspool.data import read_labelled; print(len(read_labelled(path).rows))",
    "features": "from unspool.tasks.caption.gather import read_given as r; print(len(r(path)[0]))",
    "weights": "from unspool.interop.torch_weights import read_torch_weights as r; r(path)",
}
PROGRAM = """
import os, sys
from pathlib import Path
import unspool.data, unspool.tasks.caption.gather, unspool.interop.torch_weights, PIL.Image
from unspool import UnspoolError
def peak():  # ru_maxrss would begin at the memory of the process that started this one
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1])
def read(path, reader):
    before = peak()
    try:
        exec(reader)
    except UnspoolError as error:
        print(error)
    print((peak() - before) >> 10)
for line in sys.stdin:  # a fork reads, as importing takes seconds
    pid = os.fork()
    if pid == 0:
        path, reader = line.rstrip().split("\t")
        read(Path(path), reader)
        sys.stdout.flush()
        os._exit(0)
    print("end", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def read():
    """A function: what reading a file prints, and how many MiB it takes at its peak."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], **pipes) as reading:

        def run(reader, path):
            print(path, READERS[reader], sep="\t", file=reading.stdin, flush=True)
            *said, peak, end = iter_until(reading.stdout, "end")
            assert (end, len(said) <= 1) == ("end 0\n", True)
            return "".join(said), int(peak)

        yield run


def iter_until(lines, word):
    for line in lines:
        yield line
        if line.startswith(word):
            return


def header(name, size, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def zeros(pack, mib):
    """Packed zeros: 16 MiB of them, packed once, again and again."""
    return pack(bytes(16 * MIB)) * (mib // 16)


def deflated(mib):
    """A raw deflate stream of zeros that has no end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * (mib // 16)


def zip_of(members):
    """An archive of (name, packed content, unpacked size, checksum)."""
    body, directory = b"", b""
    for name, content, size, crc in members:
        entry = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, crc, len(content), size)
        place = struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, len(body))
        directory += b"PK\1\2" + struct.pack("<H", 20) + entry + place + name
        body += b"PK\3\4" + entry + struct.pack("<HH", len(name), 0) + name + content
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def array(promised, version=1, length=None):
    """The beginning of an array's file: what its header promises."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({promised},), }}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


def stored(content):
    packer = zlib.compressobj(0, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)


def small_arrays():
    return {"series": np.ones((4, 3, 1)), "labels": np.array(["a", "b", "a", "b"])}


def npz_with_an_unused_array(path):
    np.savez(path, **small_arrays())
    with zipfile.ZipFile(path) as file:
        found = {name: file.read(name) for name in file.namelist()}
    members = [
        (name.encode(), stored(content) + b"\3\0", len(content), zlib.crc32(content))
        for name, content in found.items()
    ]
    huge = stored(array(2**31)) + deflated(2048)
    path.write_bytes(zip_of([*members, (b"unused.npy", huge, 2**31 + 80, 0)]))


def npz_with_a_long_header(path):
    content = stored(array(1, version=2, length=2**31 - 1)) + deflated(2048)
    path.write_bytes(zip_of([(b"series.npy", content, 2**31 - 1, 0)]))


def npz_of_more_than_it_promises(path):
    path.write_bytes(zip_of([(b"series.npy", stored(array(1)) + deflated(2048), 2**31 - 1, 0)]))


def npz_that_promises_more_than_the_limit(path):
    content = stored(array(2**40)) + deflated(2048)
    path.write_bytes(zip_of([(b"series.npy", content, 2**31 - 1, 0)]))


def directory_of_many_names(path):
    count = 200_000
    entry = b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", *[20] * 2, *[0] * 14)
    entry = entry[:28] + struct.pack("<H", 1) + entry[30:46] + b"a"
    end = struct.pack("<HHHHIIH", 0, 0, count % 65536, count % 65536, len(entry) * count, 4, 0)
    path.write_bytes(b"PK\3\4" + entry * count + b"PK\5\6" + end)


def idx_of_more_than_it_promises(path):
    begin = bytes([0, 0, 8, 3]) + struct.pack(">III", 1, 1, 1)
    path.write_bytes(gzip.compress(begin) + zeros(gzip.compress, 4096))


def idx_that_promises_more_than_the_limit(path):
    begin = bytes([0, 0, 8, 3]) + struct.pack(">III", 2**31, 2**31, 2**31)
    path.write_bytes(gzip.compress(begin) + zeros(gzip.compress, 4096))


def tar_with_a_long_attribute(path):
    content = bz2.compress(header("x", 2**31, tarfile.XHDTYPE)) + zeros(bz2.compress, 2048)
    path.write_bytes(content)


def tar_with_a_long_name(path):
    path.write_bytes(
        gzip.compress(header("x", 2**31, tarfile.GNUTYPE_LONGNAME)) + zeros(gzip.compress, 2048)
    )


def tar_of_global_attributes(path):
    """400 headers for all members, each of a megabyte under a different key."""
    with gzip.open(path, "wb", 1) as file:
        for i in range(400):
            record = f"1000000 {i}=".encode()
            record += b"x" * (1_000_000 - len(record) - 1) + b"\n"
            file.write(header("x", len(record), tarfile.XGLTYPE) + record + bytes(448))
        file.write(header("a.png", 0) + bytes(1024))


def tar_of_a_chain_of_attributes(path):
    """Attributes before attributes before attributes: each of a megabyte, kept until the end."""
    record = b"900000 comment=" + b"x" * (900_000 - 16) + b"\n"
    link = header("x", len(record), tarfile.XHDTYPE) + record + bytes(-len(record) % 512)
    path.write_bytes(gzip.compress(link, 1) * 800 + gzip.compress(header("a.png", 0) + bytes(1024)))


def tar_with_a_sparse_map(path):
    """A sparse member whose map of places is a gigabyte long."""
    sparse = bytearray(header("a.png", 0, tarfile.GNUTYPE_SPARSE))
    sparse[386:482] = b"00000000001\0" * 8
    sparse[482] = 1
    sparse[148:156] = b" " * 8
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    block = (b"00000000001\0" * 42 + b"\1").ljust(512, b"\0")
    pack = gzip.compress(block * (16 * MIB // 512))
    path.write_bytes(gzip.compress(bytes(sparse)) + pack * 40)


def tar_with_a_sparse_map_in_attributes(path):
    """The same in the form of POSIX: the map is in the data."""
    records = [b"22 GNU.sparse.major=1\n", b"22 GNU.sparse.minor=0\n",
               b"25 GNU.sparse.name=a.png\n", b"31 GNU.sparse.realsize=100000\n"]  # fmt: skip
    pax = b"".join(b"%d %s" % (len(r), r.split(b" ", 1)[1]) for r in records)
    begin = header("x", len(pax), tarfile.XHDTYPE) + pax.ljust(512, b"\0")
    begin += header("a.png", 2**30) + b"1000000000\n".ljust(512, b"0") + b"\n"
    pack = gzip.compress(b"1\n" * (8 * MIB))
    path.write_bytes(gzip.compress(begin) + pack * 60)


def tar_with_a_large_dictionary(path):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**29}]
    packer = lzma.LZMACompressor(filters=filters)
    content = [packer.compress(header("a.png", 2**30))]
    content += [packer.compress(bytes(16 * MIB)) for _ in range(4)]
    path.write_bytes(b"".join(content) + packer.flush())


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(
        ">I", zlib.crc32(kind + content)
    )  # fmt: skip


def png(path, side=9459):
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(3 * side + 1)) for _ in range(side)) + packer.flush()
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", size), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def tiff_of_one_tile(path):
    """A picture of 100 x 100 in a tile of 16,384 x 16,384."""
    tile = b"\x78\x9c" + deflated(768)
    tags = [(256, 4, 100), (257, 4, 100), (258, 3, None), (259, 3, 8), (262, 3, 2), (277, 3, 3),
            (322, 4, 16384), (323, 4, 16384), (324, 4, None), (325, 4, len(tile))]  # fmt: skip
    bits = 8 + 2 + 12 * len(tags) + 4
    places = {258: bits, 324: bits + 6}
    entries = b"".join(
        struct.pack("<HHII", tag, kind, 3 if tag == 258 else 1, places.get(tag, value) or 0)
        for tag, kind, value in tags
    )
    begin = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    path.write_bytes(begin + struct.pack("<HHH", 8, 8, 8) + tile)


def pickle_in_a_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + b"}" * (15 * MIB) + b".")


def pickle_by_itself(path):
    path.write_bytes(b"\x80\x02" + b"}" * (40 * MIB) + b".")


HOSTILE = [
    (npz_with_an_unused_array, "labelled", "x.npz", 100, "4"),
    (npz_with_a_long_header, "labelled", "x.npz", 100, "a header of more than 10,000 bytes"),
    (npz_of_more_than_it_promises, "labelled", "x.npz", 100, "has more than the 1 bytes that its"),
    (npz_that_promises_more_than_the_limit, "labelled", "x.npz", 100, "must take at most 4 GiB"),
    (npz_with_a_long_header, "features", "x.npz", 100, "must be an .npz with `names`"),
    (directory_of_many_names, "labelled", "x.npz", 150, "its directory has more than 4 MiB"),
    (directory_of_many_names, "weights", "x.pth", 150, "its directory has more than 4 MiB"),
    (idx_of_more_than_it_promises, "labelled", "images.idx3-ubyte.gz", 100, "more than the 1 imag"),
    (idx_that_promises_more_than_the_limit, "labelled", "images.idx", 100, "of at most 4 GiB"),
    (tar_with_a_long_attribute, "tar", "x.tar", 100, "must have at most 1,024 KiB"),
    (tar_with_a_long_attribute, "is_tar", "x.tar", 100, "False"),
    (tar_with_a_long_name, "tar", "x.tar", 100, "must have at most 1,024 KiB"),
    (tar_of_global_attributes, "tar", "x.tar", 100, "must have at most 1,024 KiB"),
    (tar_of_a_chain_of_attributes, "tar", "x.tar", 100, "must have at most 1,024 KiB"),
    (tar_with_a_sparse_map, "tar", "x.tar", 100, "sparse members are not supported"),
    (tar_with_a_sparse_map_in_attributes, "tar", "x.tar", 100, "sparse members are not supported"),
    (tar_with_a_large_dictionary, "tar", "x.tar", 150, "takes more than 128 MiB to unpack"),
    (png, "picture", "x.png", 720, "(9459, 9459, 3)"),
    (tiff_of_one_tile, "picture", "x.tif", 100, "has more than 89,478,485 pixels"),
    (pickle_in_a_zip, "weights", "x.pth", 300, "more than 1,048,576 steps"),
    (pickle_by_itself, "weights", "x.pth", 300, "more than 1,048,576 steps"),
]


@pytest.mark.parametrize(
    ("build", "reader", "name", "most", "message"),
    HOSTILE,
    ids=[f"{build.__name__}-{reader}" for build, reader, *_ in HOSTILE],
)
def test_hostile_files_take_bounded_memory(read, tmp_path, build, reader, name, most, message):
    pytest.importorskip("PIL")
    if not Path("/proc/self/status").exists():
        pytest.skip("peaks of memory are read from /proc")
    path = tmp_path / name
    build(path)
    if name.startswith("images"):
        labels = bytes([0, 0, 8, 1]) + struct.pack(">I", 1) + b"1"
        path.with_name(name.replace("images", "labels").replace("idx3", "idx1")).write_bytes(labels)
    assert path.stat().st_size < 45 * MIB
    said, peak = read(reader, path)
    assert message in said
    assert peak < most
