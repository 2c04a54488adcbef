"""Runs of DRAW: they draw new images, and are measured on others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ... import files
from ...cells.base import check_sizes
from ...data import GreyEncoder, LabelledData, encode_rows, join_rows, overlap_note
from ...errors import ConfigError, RunError
from ...models.draw import Drawing, DrawModel
from ...options import Options, option
from ...training.task import Evaluation
from ..label.run import LabelledRun
from ..run import check_size, noted
from . import plot
from .decode import draw
from .recipe import read_rows
from .task import evaluate_drawing


class Drawings(NamedTuple):
    """New images: `pixels` (B, H, W, C) from 0 (black) to 1, the label of each (None without),
    and how they came to be.
    """

    pixels: np.ndarray
    labels: tuple[str | None, ...]
    steps: Drawing


@dataclass(frozen=True, kw_only=True)
class DrawEvaluation(Options):
    """How images are measured."""

    importance_samples: int = option(
        0, "draws per image for an estimate of -ln p, such as 50; 0: the bound alone", at_least=0,
        below=2**31,
    )  # fmt: skip


@dataclass(frozen=True)
class DrawRun(LabelledRun):
    """A run of `unspool train draw`, loaded; its labels, if it has any, are the conditions."""

    what: ClassVar[str] = "a model that draws images"
    used_by: ClassVar[str] = "unspool sample --plot"
    eval_options: ClassVar[type[Options]] = DrawEvaluation
    aligned: ClassVar[bool] = False

    model: DrawModel
    encoder: GreyEncoder

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        parts = super().parts(path, config)
        if not isinstance(parts["encoder"], GreyEncoder):
            raise RunError(f"{path} is damaged: it does not say what its images are")
        check_size(path, config, "image_shape", list(parts["encoder"].shape))
        return parts

    def sample(self, count: int = 1, condition: str | None = None, seed: int = 0) -> Drawings:
        """Draw `count` images, of the label `condition`; if it has labels and none is given, of
        all of them in turn. The same seed draws the same.

        run.sample(16, seed=1).pixels
        """
        check_sizes(count=count)
        numbers = np.arange(count) % max(len(self.labels), 1)
        if condition is not None:
            if condition not in self.labels:
                known = ", ".join(self.labels) or "left out, as the run has no labels"
                one_of = "one of " if self.labels else ""
                raise ConfigError(f"condition must be {one_of}{known}, got {condition!r}")
            numbers[:] = self.labels.index(condition)
        steps = draw(self.model, numbers, seed)
        labels = tuple(self.labels[i] if self.labels else None for i in numbers)
        return Drawings(np.asarray(steps.canvases[-1]), labels, steps)

    def plot(self, path: str | Path, drawings: Drawings) -> None:
        """Show how images came to be, step by step: .html with a slider, .svg or .png with a row
        an image. The file needs no other; ConfigError for another suffix.
        """
        write = plot.writer(path)
        files.write_bytes(Path(path), write(drawings.steps, drawings.labels, self.model))

    def evaluate(self, *sources: str, importance_samples: int = 0) -> Evaluation:
        """The bound in nats an image and its terms; with `importance_samples` K an estimate of
        -ln p(x) that is nearer. See `evaluate_drawing`.
        """
        DrawEvaluation(importance_samples=importance_samples)
        if not sources:
            found = self.own_data(LabelledData.open, "name a file to evaluate on").val
            return evaluate_drawing(self.model, found, self.encoder.shape, importance_samples)
        rows = join_rows([read_rows(source, bool(self.labels)) for source in sources])
        found = encode_rows(rows, self.encoder, self.labels or ("",))
        shared = self.shared_with_training(
            LabelledData.open,
            lambda data: overlap_note(data.train.contents(), found.contents(), "images"),
        )
        result = evaluate_drawing(self.model, found, self.encoder.shape, importance_samples)
        return noted(result, shared)
