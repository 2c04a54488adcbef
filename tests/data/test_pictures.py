"""Folders and TARs of files: order, hostile members, damage, memory; pictures of every mode."""

import io
import os
import subprocess
import sys
import tarfile
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspool.data import Pictures, decode_picture, picture_files
from unspool.errors import DataError, UnspoolError

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")


def tar(path, members, mode="w"):
    """A TAR of (name, content) or of (name, content, changes to the header)."""
    with tarfile.open(path, mode) as archive:
        for name, content, *changes in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in dict(*changes).items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return path


THREE = [("p/b.jpg", b"2" * 700), ("./a.jpg", b"1"), ("c.jpg", b"")]
READ = [("p/b.jpg", b"2" * 700), ("a.jpg", b"1"), ("c.jpg", b"")]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_in_its_order(tmp_path, mode):
    found = Pictures(tar(tmp_path / "a", THREE, mode))
    assert found.names == [name for name, _ in READ]
    assert list(found.contents()) == READ
    assert list(found.contents({"a.jpg"})) == READ[1:2]
    assert found.left_out.notes() == []


def test_folder_in_sorted_order(tmp_path):
    for name, content in READ:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".hidden").write_bytes(b"3")
    found = Pictures(tmp_path)
    assert list(found.contents()) == [READ[1], READ[2], READ[0]]


def test_hostile_members_are_skipped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "MAX_PICTURE_BYTES", 2**20)
    link = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
    path = tar(tmp_path / "a.tar", [
        ("/etc/passwd", b"x"), ("../up", b"x"), ("p/../../up", b"x"), ("\x1b[2Jname", b"x"),
        ("link", b"", link), ("hard", b"", {"type": tarfile.LNKTYPE, "linkname": "good"}),
        ("pipe", b"", {"type": tarfile.FIFOTYPE}), ("folder", b"", {"type": tarfile.DIRTYPE}),
        ("._good", b"x"), ("p/.hidden/x", b"x"), ("good", b"yes"), ("./good", b"no"),
        ("huge", bytes(2**20 + 1)),
    ])  # fmt: skip
    found = Pictures(path)
    assert list(found.contents()) == [("\x1b[2Jname", b"x"), ("good", b"yes")]
    assert found.left_out.notes() == [
        "unsafe names in the TAR: 3 (/etc/passwd, ../up, p/../../up)",
        "links and devices in the TAR: 3 (link, hard, pipe)",
        "hidden files and folders: 2 (._good, p/.hidden)",
        "names that occur twice in the TAR (the first is used): 1 (good)",
        "files above 1 MB: 1 (huge)",
    ]
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_hostile_entries_of_folders(tmp_path):
    (tmp_path / "good").write_bytes(b"yes")
    (tmp_path / "nothing").symlink_to("/nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    found = Pictures(tmp_path)
    assert list(found.contents()) == [("good", b"yes")]
    assert found.left_out.notes() == ["dangling links, pipes and devices: 2 (nothing, pipe)"]
    (tmp_path / "good").unlink()
    with pytest.raises(DataError, match="has no pictures; dangling links, pipes and devices: 2"):
        Pictures(tmp_path)
    with pytest.raises(DataError, match="is a pipe or device: name a folder or TAR"):
        Pictures(tmp_path / "pipe")
    with pytest.raises(DataError, match="none does not exist: name a folder or TAR"):
        Pictures(tmp_path / "none")


def test_a_file_that_vanishes_is_counted(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    found = Pictures(tmp_path)
    contents = found.contents()
    assert next(contents) == ("a", b"1")
    (tmp_path / "b").unlink()
    assert list(contents) == []


def test_notes_cannot_steer_a_terminal():
    left_out = picture_files.LeftOut()
    left_out.add("odd", "\x1b[2Ja\udcff")
    assert left_out.notes() == ["odd: 1 ('\\x1b[2Ja\\udcff')"]


def test_files_that_are_no_tar(tmp_path):
    for content in (b"", b"hello" * 1000, b"\x1f\x8b broken"):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(DataError, match=r"neither a folder nor a TAR|is damaged"):
            Pictures(tmp_path / "a")
    with pytest.raises(DataError, match="has no pictures"):
        Pictures(tar(tmp_path / "a", []))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_cut_anywhere_is_an_error_or_whole(tmp_path, mode):
    """A cut between two members is an end without zeros, which some programs write."""
    random = np.random.default_rng(0)
    whole = tar(tmp_path / "a", [(f"{i}.jpg", random.bytes(900)) for i in range(4)], mode)
    content = whole.read_bytes()
    refused = 0
    for cut in {*range(1, len(content), 41), *range(1536, 4 * 1536, 1536)}:
        whole.write_bytes(content[:cut])
        try:
            found = Pictures(whole)
        except DataError:
            refused += 1
            continue
        assert [len(content) for _, content in found.contents()] == [900] * len(found.names)
        between = mode == "w" and cut % 1536 == 0
        assert len(found.names) == (min(cut // 1536, 4) if between else 4)
    assert refused > 80  # all cuts within the 3.6 kB of contents


def test_a_broken_header_in_the_middle(tmp_path):
    path = tar(tmp_path / "a.tar", THREE)
    content = bytearray(path.read_bytes())
    content[1536:1546] = b"?" * 10
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"truncated after p/b.jpg \(the next header is broken\)"):
        Pictures(path)


def test_a_negative_size_does_not_turn_in_circles(tmp_path):
    path = tar(tmp_path / "a.tar", THREE)
    content = bytearray(path.read_bytes())
    content[124:136] = (-1024 + (1 << 96)).to_bytes(12, "big")  # base 256, negative
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    path.write_bytes(content)
    with pytest.raises(DataError):
        Pictures(path)


def test_memory_does_not_grow_with_the_tar(tmp_path):
    def peak(count):
        path = tar(tmp_path / "a.tar", [(f"{i}.jpg", bytes(3000)) for i in range(count)])
        tracemalloc.start()
        found = Pictures(path)
        del found.names[:]
        for _ in found.contents():
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    # Of a member only its name may stay (about 60 bytes, and twice in a set), no header (1 kB).
    assert (peak(900) - peak(100)) / 800 < 400


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gradient(height=5, width=7):
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(255, 0, height))
    return np.stack([red, green, 0 * red + 90], axis=2).astype(np.uint8)


RGB = gradient()
PICTURE = Image.fromarray(RGB)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_very_pixels(form):
    found = decode_picture(encoded(PICTURE, form))
    assert (found.dtype, found.flags.c_contiguous) == (np.uint8, True)
    assert np.array_equal(found, RGB)


def test_lossy_formats_give_nearly_the_pixels():
    large = gradient(40, 40)
    for options in ({"form": "JPEG", "quality": 95}, {"form": "WEBP", "quality": 95}):
        found = decode_picture(encoded(Image.fromarray(large), **options))
        assert np.abs(found.astype(int) - large).mean() < 4


@given(values=st.lists(st.integers(0, 65535), min_size=1, max_size=6))
def test_16_bits_are_rounded_to_8(values):
    image = Image.fromarray(np.array([values], np.uint16))
    expected = np.round(np.array(values) / 257)
    for form in ("PNG", "TIFF"):
        found = decode_picture(encoded(image, form))
        assert np.array_equal(found, np.repeat(expected[None, :, None], 3, axis=2))


def test_other_modes_become_rgb():
    grey = np.array(PICTURE.convert("L"))
    for mode in ("L", "1"):
        image = PICTURE.convert(mode)
        expected = np.repeat(np.array(image.convert("L"))[..., None], 3, axis=2)
        assert np.array_equal(decode_picture(encoded(image)), expected)
    assert len(np.unique(grey)) > 5
    few = PICTURE.quantize(4)
    assert np.array_equal(decode_picture(encoded(few, "GIF")), np.array(few.convert("RGB")))
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for form in ("TIFF", "JPEG"):
        found = decode_picture(encoded(red, form))
        assert np.abs(found.astype(int) - [255, 0, 0]).max() < 3


def test_transparent_pixels_lie_on_white():
    image = Image.new("RGBA", (3, 1))
    image.putpixel((0, 0), (10, 20, 30, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    image.putpixel((2, 0), (200, 0, 0, 0))
    found = decode_picture(encoded(image))
    assert found[0].tolist() == [[10, 20, 30], [127] * 3, [255] * 3]
    assert decode_picture(encoded(image.convert("LA")))[0, 2].tolist() == [255] * 3
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    for form in ("PNG", "GIF"):
        content = encoded(palette, form, transparency=0)
        assert decode_picture(content)[0].tolist() == [[255] * 3, [200, 0, 0]]


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for form in ("GIF", "PNG", "WEBP"):
        content = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert np.abs(decode_picture(content).astype(int) - [255, 0, 0]).max() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_the_orientation_is_applied(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(PICTURE, form, exif=exif)
    expected = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    assert expected.shape == ((7, 5, 3) if orientation > 4 else (5, 7, 3))
    found = decode_picture(content)
    assert np.array_equal(found, expected)
    assert found.flags.c_contiguous


def test_odd_exif_is_no_reason_to_refuse_a_picture():
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01", b"\xff" * 30):
        assert decode_picture(encoded(PICTURE, "JPEG", exif=exif)).shape == RGB.shape


def bomb(width, height):
    """A PNG that claims to be of some size, with the checksum of its header right."""
    content = bytearray(encoded(PICTURE))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


JPEG = encoded(Image.fromarray(gradient(40, 40)), "JPEG")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "p.jpg is empty"),
        (b"hello", "p.jpg is not a picture, or none of JPEG, PNG, GIF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "p.jpg is not a picture"),
        (JPEG[: len(JPEG) * 3 // 4], "p.jpg is damaged or truncated"),
        (encoded(PICTURE)[:-40], "p.jpg is damaged or truncated"),
        (encoded(PICTURE, "GIF")[:-60], "p.jpg"),
        (bomb(40_000, 40_000), "p.jpg has more than 89,478,485 pixels: make it smaller"),
        (bomb(10_000, 10_000), "p.jpg has more than 89,478,485 pixels: make it smaller"),
        (bomb(9_000, 1), "p.jpg is damaged or truncated"),
        (b"P6 0 0 255\n", "p.jpg"),
        (b"BM" + bytes(60), "p.jpg"),
        (encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "p.jpg has 32-bit pixels, "
         "whose white is unknown: save it in 8 or 16 bits"),
        (encoded(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"), "has 32-bit pixels"),
        (encoded(Image.fromarray(np.full((2, 2), 200, np.int32)), "TIFF"), "has 32-bit pixels"),
    ],
)  # fmt: skip
def test_what_cannot_be_decoded(content, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError) as error:
            decode_picture(content, "p.jpg")
    assert message in str(error.value)


def test_our_limit_counts_where_pillow_has_none(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(DataError, match="more than 89,478,485 pixels"):
        decode_picture(bomb(40_000, 40_000))


@given(st.data())
def test_damaged_pictures_are_pixels_or_one_error(data):
    form = data.draw(st.sampled_from(["PNG", "GIF", "TIFF", "BMP", "PPM", "JPEG", "WEBP"]))
    content = bytearray(encoded(PICTURE, form))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = decode_picture(bytes(content))
    except DataError:
        return
    assert (found.dtype, found.ndim, found.shape[2]) == (np.uint8, 3, 3)


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UnspoolError, match=r"pip install 'unspool\[vision\]'") as error:
        decode_picture(JPEG)
    assert not isinstance(error.value, DataError)  # else every picture would count as broken


def test_pillow_is_imported_only_to_decode():
    program = "import sys, unspool, unspool.data; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
