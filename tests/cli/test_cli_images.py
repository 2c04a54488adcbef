"""train classify and train glimpse on images; classify, eval and info on their runs."""

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.cli.tiny import IMAGES, LABELLED
from tests.support import printed


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    draw = IMAGES
    np.savez(folder / "images.npz", images=draw, labels=["a", "b"] * 12)
    np.savez(folder / "large.npz", images=draw.repeat(2, axis=1), labels=["a", "b"] * 12)
    np.savez(folder / "unknown.npz", images=draw[:2], labels=["a", "c"])
    np.savez(folder / "unlabelled.npz", images=draw[:2])
    np.savez(folder / "series.npz", series=draw[:4], labels=["a", "b"] * 2)
    (folder / "lines.txt").write_text("".join(f"a one {i}\nb two {i}\n" for i in range(6)))
    return folder


@pytest.fixture(scope="module")
def runs(train_here, tiny, files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(tiny("glimpse"), folder / "glimpse")
    cut = ["--image", "patches", "--patch", "2", "--run", folder / "patches"]
    train_here("classify", files / "images.npz", *cut, *LABELLED)
    return folder


@pytest.mark.parametrize("name", ["patches", "glimpse"])
def test_classify_eval_and_info(unspool, runs, files, name):
    found = printed(unspool("classify", runs / name, files / "unlabelled.npz"))
    assert [line.split("\t")[2] for line in found] == ["image 1", "image 2"]
    result = json.loads(printed(unspool("eval", runs / name, files / "images.npz", "--json"))[0])
    assert (result["tokens"], result["labels"]) == (24, ["a", "b"])
    facts = json.loads(printed(unspool("info", runs / name, "--json"))[0])
    assert facts["task"]["encoder"]["shape"] == [6, 6, 1]
    assert facts["model"]["kind"] == ("glimpse" if name == "glimpse" else "classifier")


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_plot(unspool, runs, files, tmp_path, suffix):
    path = tmp_path / f"glimpses.{suffix}"
    arguments = ["classify", runs / "glimpse", files / "images.npz", "--plot", path]
    assert len(printed(unspool(*arguments, "--plot-count", "5"))) == 24
    svg = path.read_text()
    assert "5 images, " in svg
    root = ElementTree.fromstring(svg[svg.index("<svg") : svg.rindex("</svg>") + 6])
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2 * 5


def test_resume(unspool, runs, files):
    done = unspool("train", "glimpse", files / "images.npz", "--run", runs / "glimpse", "--resume",
                   "--max-steps", "8")  # fmt: skip
    assert "at step 8" in printed(done)[-2]
    refused = unspool("train", "glimpse", "--run", runs / "glimpse", "--resume", "--glimpses", "4")
    assert (refused.code, "glimpses cannot change" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "{patches}", "{large.npz}"], "{large.npz} row 1: images must be 6x6, as in"),
        (["eval", "{glimpse}", "{large.npz}"], "{large.npz} row 1: images must be 6x6, as in"),
        (["eval", "{patches}", "{unknown.npz}"], "{unknown.npz} row 2: the label 'c' is not"),
        (["eval", "{patches}", "{unlabelled.npz}"], "{unlabelled.npz} has no labels"),
        (["eval", "{patches}", "{lines.txt}"], "{patches} reads images, which this file has not"),
        (["classify", "{patches}", "a text"], "{patches} reads images: name an IDX file"),
        (["classify", "{patches}", "{series.npz}"], "{series.npz}: {patches} reads an IDX file"),
        (["classify", "{patches}", "{images.npz}", "--plot", "a.svg"], "is a classifier: use"),
        (["classify", "{glimpse}", "{images.npz}", "--plot", "a.png"], "in .svg or .html, got a."),
        (["tag", "{glimpse}", "{images.npz}"], "{glimpse} is a classifier by glimpses: use"),
        (["train", "glimpse", "--run", "r"], "a file of images must be named"),
        (["train", "glimpse", "{lines.txt}", "--run", "r"], "{lines.txt} has no images: name"),
        (["train", "glimpse", "nowhere", "--run", "r"], "nowhere does not exist"),
        (["train", "classify", "a-idx3-ubyte", "--run", "r"], "a-idx3-ubyte does not exist"),
        (["train", "tag", "{images.npz}", "--run", "r"], "there are no steps to tag"),
        (["train", "generate", "{images.npz}", "--run", "r"], "must be a single line"),
        (["train", "classify", "{images.npz}", "--val", "{lines.txt}", "--run", "r"],
         "must both hold texts, or series, or images"),
        (["train", "glimpse", "{images.npz}", "--run", "r", "--std", "0"], "std must be above 0"),
    ],
)  # fmt: skip
def test_errors_are_one_line(refused, runs, files, arguments, message):
    refused(arguments, message, {p.name: p for p in (*runs.iterdir(), *files.iterdir())})
