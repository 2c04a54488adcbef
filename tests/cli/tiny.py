"""Small sources of every kind, and options by which a run is trained on them in a blink.

All tests of the command line use them, as what is compiled for one is kept for the others.
"""

from pathlib import Path

import numpy as np

VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20
SMALL = [
    "--hidden", "8", "--batch", "4", "--steps-per-chunk", "8", "--max-steps", "12",
    "--eval-every", "5", "--sample-tokens", "20",
]  # fmt: skip

STEPS = ["--batch", "8", "--max-steps", "6", "--eval-every", "3"]
LABELLED = ["--hidden", "4", *STEPS]
LINES = "x the thread goes out\ny the wheel goes round\nx thread in\ny wheel un spun\n" * 6
WORDS = "".join(f"the O\nthread{i} B-T\n\nwheels{i} B-W\nspin I-W\nround O\n\n" for i in range(8))

LOOKS = ["--glimpses", "3", "--glimpse-size", "4", "--copies", "2"]
IMAGES = np.random.default_rng(0).integers(0, 255, (24, 6, 6), np.uint8)

TRANSLATE = ["--tokens", "char", "--hidden", "8", "--embedding", "8", *STEPS]
ENGLISH = ["the thread", "the wheel spins", "in", "out"] * 10
GERMAN = ["der faden", "das rad dreht sich", "hinein", "hinaus"] * 10
PAIRS = "".join(f"{one}\t{other}\n" for one, other in zip(ENGLISH, GERMAN, strict=True))

CAPTION = ["--hidden", "8", "--embedding", "8", "--condition", "8", "--batch", "8", "--max-steps",
           "4", "--eval-every", "2"]  # fmt: skip
NAMES = [f"{number:02}.png" for number in range(12)]
FEATURES = np.random.default_rng(0).normal(size=(len(NAMES), 4, 5))
CAPTIONS = "".join(f"{name}\ta red {what}\n" for name in NAMES for what in ("wheel", "thread"))

# For each kind of run the words after `train`; words with a dot are files of `write_sources`.
COMMANDS = {
    "text": ["text", "text.txt", *SMALL],
    "classify": ["classify", "lines.txt", *LABELLED],
    "tag": ["tag", "words.txt", *LABELLED],
    "generate": ["generate", "lines.txt", *LABELLED],
    "translate": ["translate", "pairs.tsv", *TRANSLATE],
    "caption": ["caption", "--features", "features.npz", "--captions", "captions.tsv", *CAPTION,
                "--min-count", "1"],
    "glimpse": ["glimpse", "images.npz", *LOOKS, *LABELLED],
}  # fmt: skip


def write_sources(folder: Path) -> None:
    texts = {
        "text.txt": VERSE, "lines.txt": LINES, "words.txt": WORDS, "pairs.tsv": PAIRS,
        "captions.tsv": CAPTIONS,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
    np.savez(folder / "images.npz", images=IMAGES, labels=["a", "b"] * 12)
    np.savez(folder / "features.npz", names=NAMES, features=FEATURES)
