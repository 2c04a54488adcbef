"""train draw; sample, eval and info on what it leaves."""

import json

import numpy as np
import pytest
from tests.support import printed

from unspool.cli.main import app

TINY = ["--glimpses", "2", "--write", "4", "--hidden", "16", "--latent", "4", "--batch", "16"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images of 4x4 pixels whose upper ("a") or lower ("b") half is bright."""
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    images = draw.integers(0, 60, (80, 4, 4)).astype(np.uint8)
    images[::2, :2] += 190
    images[1::2, 2:] += 190
    labels = ["a", "b"] * 40
    np.savez(folder / "images.npz", images=images, labels=labels)
    np.savez(folder / "unlabelled.npz", images=images[:3])
    np.savez(folder / "one.npz", images=images[:1], labels=["a"])
    np.savez(folder / "none.npz", images=images[:0], labels=[])
    np.savez(folder / "large.npz", images=images.repeat(2, axis=1), labels=labels)
    np.savez(folder / "unknown.npz", images=images[:2], labels=["a", "c"])
    np.savez(folder / "nan.npz", images=np.full((4, 4, 4), np.nan))
    np.savez(folder / "negative.npz", images=images - 100.0)
    np.savez(folder / "unequal.npz", images=np.array([images[0].tolist(), [[1]]], object))
    np.savez(folder / "series.npz", series=images[:4], labels=["a", "b"] * 2)
    (folder / "lines.txt").write_text("a one\nb two\n" * 6)
    return folder


@pytest.fixture(scope="module")
def run(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["train", "draw", files / "images.npz", "--run", folder, "--conditional", *TINY,
             "--max-steps", "150", "--eval-every", "150", "--learning-rate", "0.01"]  # fmt: skip
    app(list(map(str, words)), standalone_mode=False)
    return folder


def test_images_are_drawn_for_their_labels(unspool, run):
    for label, bright in (("a", slice(0, 2)), ("b", slice(2, 4))):
        found = printed(
            unspool("sample", run, "--count", "8", "--condition", label, "--json", "--seed", "3")
        )
        records = list(map(json.loads, found))
        assert [r["number"] for r in records] == list(range(8))
        assert {r["condition"] for r in records} == {label}
        for record in records:
            pixels = np.array(record["pixels"])
            assert pixels.shape == (4, 4)
            assert pixels[bright].mean() > pixels.mean() + 0.2
    labels = [
        json.loads(x)["condition"] for x in printed(unspool("sample", run, "--count", 3, "--json"))
    ]
    assert labels == ["a", "b", "a"]


def test_text_and_plots(unspool, run, tmp_path):
    text = printed(unspool("sample", run, "--count", "2"))
    assert len(text) == 2
    for suffix, start in (("html", b"<!doctype"), ("svg", b"<svg"), ("png", b"\x89PNG")):
        path = tmp_path / f"canvas.{suffix}"
        assert printed(unspool("sample", run, "--count", "3", "--plot", path)) == []
        assert path.read_bytes().startswith(start)


def test_eval_and_info(unspool, run, files):
    result = json.loads(
        printed(unspool("eval", run, files / "images.npz", "--importance-samples", 5, "--json"))[0]
    )
    assert result["tokens"] == 80
    assert result["nll_nats"] < result["loss_nats"]
    assert result["nll_standard_error"] > 0
    assert any("images are in the training part too" in note for note in result["notes"])
    own = printed(unspool("eval", run))
    assert own[0].endswith("nats per image over 8 images")
    facts = json.loads(printed(unspool("info", run, "--json"))[0])
    assert facts["model"]["kind"] == "draw"
    assert (facts["task"]["labels"], facts["task"]["encoder"]["white"]) == (["a", "b"], 255)
    assert len((run / "samples.txt").read_text().splitlines()) >= 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "draw", "--run", "r"], "a file of images must be named"),
        (["train", "draw", "nowhere", "--run", "r"], "nowhere does not exist"),
        (["train", "draw", "{lines.txt}", "--run", "r"], "{lines.txt} has no images: name an"),
        (["train", "draw", "{series.npz}", "--run", "r"], "{series.npz} has no images: name an"),
        (["train", "draw", "{one.npz}", "--run", "r"], "nothing of 1 can be held out"),
        (["train", "draw", "{none.npz}", "--run", "r"], "{none.npz} has no images"),
        (["train", "draw", "{nan.npz}", "--run", "r"], "{nan.npz} row 1: a pixel is missing"),
        (["train", "draw", "{negative.npz}", "--run", "r"], "pixels must be from 0 (black) to"),
        (["train", "draw", "{unequal.npz}", "--run", "r"], "images holds Python objects"),
        (["train", "draw", "{images.npz}", "--val", "{large.npz}", "--run", "r"],
         "{large.npz} row 1: images must be 4x4, as in training, got 8x4"),
        (["train", "draw", "{unlabelled.npz}", "--conditional", "--run", "r"],
         "{unlabelled.npz} has no labels"),
        (["train", "draw", "{images.npz}", "--glimpses", "0", "--run", "r"], "at least 1, got 0"),
        (["sample", "{run}", "--condition", "c"], "--condition must be one of a, b, got 'c'"),
        (["sample", "{run}", "--count", "0"], "--count must be at least 1, got 0"),
        (["sample", "{run}", "--prompt", "x"], "--prompt does not apply: {run} is a model"),
        (["sample", "{run}", "--plot", "a.pdf"], "--plot must be a file that ends in .html"),
        (["eval", "{run}", "{unknown.npz}"], "{unknown.npz} row 2: the label 'c' is not one"),
        (["eval", "{run}", "{unlabelled.npz}"], "{unlabelled.npz} has no labels"),
        (["eval", "{run}", "--importance-samples", "-1"], "must be at least 0, got -1"),
        (["eval", "{run}", "--window", "8"], "{run} is a model that draws images"),
        (["classify", "{run}", "{images.npz}"], "{run} is a model that draws images"),
        (["inspect", "{run}"], "{run} reads no text"),
    ],
)  # fmt: skip
def test_errors_are_one_line(refused, run, files, arguments, message):
    refused(arguments, message, {"run": run, **{p.name: p for p in files.iterdir()}})
