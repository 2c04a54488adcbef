"""Read captions in the formats of data sets, and pair them with pictures."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Generic, NamedTuple, TypeVar

from ..errors import ConfigError, DataError
from .left_out import listed
from .picture_files import Pictures
from .tables import header_of, read_table
from .text_files import numbered_lines, read_pieces, suffix_of

T = TypeVar("T")
Captions = dict[str, list[str]]  # file name -> its captions, in the file's order
_Found = Iterator[tuple[str, str, str]]  # file name, caption, and where it was found

_NUMBERED = re.compile(r"(.+)#\d+")
_NAMES, _CAPTIONS = ("file", "file_name", "filename", "image"), ("caption", "captions")
_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text", int: "a number"}
_FORMS = (
    "lines `file<TAB>caption`, a table with the columns `image` and `caption`, Flickr8k's lines "
    "`file.jpg#0<TAB>caption`, Karpathy's split JSON (with images[].sentences) or COCO's captions "
    "JSON (with images and annotations)"
)


def read_captions(source: str | Path, split: str | None = None) -> Captions:
    """Read the captions of pictures; the content of the file decides its format.

    - TSV: lines `file<TAB>caption`
    - a table, with tabs or commas, whose header has `image` (or `file`, `filename`) and `caption`
    - Flickr8k's token file: lines `file.jpg#0<TAB>caption`
    - Karpathy's split JSON (dataset_flickr8k.json): images[].filename, split, sentences[].raw
      (or tokens); `split` chooses a part, "train+restval" two. A `filepath` becomes the folder
      of the name.
    - COCO's captions JSON: images[].id, file_name, annotations[].image_id, caption

    White space inside a caption becomes single spaces. Raises DataError, naming the file and the
    line or key, if it has another format, empty captions, an unknown split or no captions;
    ConfigError if a split is given for a file that has none.
    """
    path = Path(source)
    text = "".join(read_pieces(path))
    if _is_json(path, text):
        found = _from_json(path, _parsed(path, text), split)
    elif split is None:
        found = _from_lines(path)
    else:
        raise _no_splits(path, split)
    captions: Captions = {}
    for name, raw, where in found:
        caption = " ".join(raw.split())
        if not name.strip() or not caption:
            what = "caption" if name.strip() else "file name"
            raise DataError(f"{where}: the {what} is empty: remove the entry")
        captions.setdefault(name, []).append(caption)
    if not captions:
        raise DataError(f"{path} has no captions: it must have {_FORMS}")
    return captions


class Pair(NamedTuple, Generic[T]):
    """A decoded picture and its captions."""

    name: str
    picture: T
    captions: Sequence[str]


def pair(
    pictures: Pictures,
    captions: Mapping[str, Sequence[str]],
    decode: Callable[[bytes, str], T],
) -> Iterator[Pair[T]]:
    """Yield the pictures that have captions, decoded one at a time, in the order of the source.

        for name, pixels, texts in pair(pictures, read_captions(file), decode_picture):

    `decode(content, name)` may return anything for a picture; if it raises DataError, the picture
    is left out. So are pictures without captions and captions without a picture: see
    `pictures.left_out`. Raises DataError at the end if nothing could be paired.
    """
    matches = match_names(pictures.names, captions)
    _note_unmatched(pictures, captions, matches)
    usable = 0
    for name, content in pictures.contents(matches):
        try:
            picture = decode(content, name)
        except DataError as error:
            pictures.left_out.add("pictures that cannot be used", name, str(error))
            continue
        usable += 1
        yield Pair(name, picture, captions[matches[name]])
    if not usable:
        raise DataError(
            f"{pictures.source} has no picture that can be used with a caption: "
            + "; ".join(pictures.left_out.notes())
        )


def match_names(pictures: Iterable[str], captions: Iterable[str]) -> dict[str, str]:
    """Match pictures to the file names among the captions: picture -> name in the captions.

    A match is the picture's path; otherwise the only name that differs from it just in Unicode's
    normal form; otherwise the only one with its base name, if no other picture has that.
    """
    given, names = list(captions), list(pictures)
    matches = {name: name for name in set(names).intersection(given)}
    for form in (_normal, _base):
        of_pictures = Counter(map(form, names))
        of_captions = Counter(map(form, given))
        by_form = {form(name): name for name in given}
        for name in names:
            if name not in matches and of_pictures[form(name)] == of_captions[form(name)] == 1:
                matches[name] = by_form[form(name)]
    return {name: matches[name] for name in names if name in matches}


def _note_unmatched(
    pictures: Pictures, captions: Mapping[str, Sequence[str]], matches: Mapping[str, str]
) -> None:
    used, bases = set(matches.values()), set(map(_base, captions))
    for name in captions:
        if name not in used:
            pictures.left_out.add("captions without a picture", name)
    for name in pictures.names:
        if name not in matches:
            fits = _base(name) in bases
            reason = (
                "pictures whose base name is ambiguous" if fits else "pictures without captions"
            )
            pictures.left_out.add(reason, name)


def _normal(name: str) -> str:
    # macOS decomposes the accents of file names (NFD), others compose them; Windows separates
    # folders by backslashes.
    return unicodedata.normalize("NFC", str(PurePosixPath(name.replace("\\", "/"))))


def _base(name: str) -> str:
    return PurePosixPath(_normal(name)).name


def _is_json(path: Path, text: str) -> bool:
    """Say whether captions are JSON. A line `[1].jpg<TAB>caption` only begins like it."""
    begin = text.lstrip()
    if not begin.startswith(("{", "[")) or suffix_of(path) == ".json":
        return begin.startswith(("{", "["))
    if begin.split("\n", 1)[0].count("\t") != 1:
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _from_lines(path: Path) -> _Found:
    header = header_of(path)
    columns = [next((n for n in header if n in known), "") for known in (_NAMES, _CAPTIONS)]
    if all(columns):
        yield from read_table(path, columns)
        return
    lines = [(number, line) for number, line in numbered_lines(path) if line.strip()]
    numbered = bool(lines) and _NUMBERED.fullmatch(lines[0][1].split("\t")[0]) is not None
    for number, line in lines:
        where = f"{path} line {number}"
        fields = line.split("\t")
        if len(fields) != 2:
            raise DataError(
                f"{where}: must be a file name, one tab and a caption, got "
                f"{len(fields) - 1 or 'no'} tabs; the file must have {_FORMS}"
            )
        name = fields[0]
        if numbered:
            match = _NUMBERED.fullmatch(name)
            if match is None:
                raise DataError(
                    f"{where}: the file name must end in # and a number, as in line "
                    f"{lines[0][0]}, got {name!r}"
                )
            name = match[1]
        yield name, fields[1], where


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} line {error.lineno}: is not JSON ({error.msg}): the file may be truncated"
        ) from error
    except ValueError as error:  # a number of 5,000 digits
        raise DataError(f"{path} is not readable JSON: {error}") from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply: the file must have {_FORMS}") from error


def _from_json(path: Path, value: Any, split: str | None) -> _Found:
    if not isinstance(value, dict) or "images" not in value:
        raise DataError(f"{path}: has no key `images`: the file must have {_FORMS}")
    images = list(_entries(path, value, "images"))
    if "annotations" not in value:
        return _karpathy(path, images, split)
    if split is not None:
        raise _no_splits(path, split)
    return _coco(images, _entries(path, value, "annotations"))


def _karpathy(path: Path, images: list[tuple[str, Any]], split: str | None) -> _Found:
    wanted = None if split is None else set(split.split("+"))
    if wanted is not None:
        known = sorted({_get(where, image, "split", str) for where, image in images})
        if not wanted <= set(known):
            raise DataError(f"{path}: split must be one of {listed(known)}, got {split!r}")
    for where, image in images:
        if wanted is not None and image["split"] not in wanted:
            continue
        name = _get(where, image, "filename", str)
        if "filepath" in image:
            name = f"{_get(where, image, 'filepath', str)}/{name}"
        for place, sentence in _entries(where, image, "sentences"):
            if "raw" in sentence:
                yield name, _get(place, sentence, "raw", str), place
            else:
                yield name, " ".join(map(str, _get(place, sentence, "tokens", list))), place


def _coco(images: list[tuple[str, Any]], annotations: Iterator[tuple[str, Any]]) -> _Found:
    found: dict[int, list[tuple[str, str]]] = {}  # captions by image, in the order of the images
    for where, image in images:
        number = _get(where, image, "id", int)
        if number in found:
            raise DataError(f"{where}.id: {number} is also the id of another image")
        found[number] = []
    for where, annotation in annotations:
        number = _get(where, annotation, "image_id", int)
        if number not in found:
            raise DataError(f"{where}.image_id: no image has the id {number}")
        found[number].append((_get(where, annotation, "caption", str), where))
    for where, image in images:
        name = _get(where, image, "file_name", str)
        yield from ((name, caption, place) for caption, place in found[image["id"]])


def _entries(where: str | Path, parent: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the objects of a list and where each one is, such as "FILE images[3]"."""
    between = " " if isinstance(where, Path) else "."
    for i, entry in enumerate(_get(where, parent, key, list)):
        place = f"{where}{between}{key}[{i}]"
        if not isinstance(entry, dict):
            raise DataError(f"{place}: must be an object, got {json.dumps(entry)[:40]}")
        yield place, entry


def _get(where: str | Path, parent: dict[str, Any], key: str, kind: type) -> Any:
    between = " " if isinstance(where, Path) else "."
    value = parent.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        got = json.dumps(value)[:40] if key in parent else "nothing"
        raise DataError(f"{where}{between}{key}: must be {_KINDS[kind]}, got {got}")
    return value


def _no_splits(path: Path, split: str) -> ConfigError:
    return ConfigError(
        f"split must be left out for {path}, got {split!r}: only Karpathy's JSON has splits"
    )
