"""The run of a captioner, which describes pictures and is evaluated on captioned ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from ...data import Sentences, overlap_note
from ...data.caption_data import PARTS, CaptionData, CaptionPart, caption_part
from ...decoding.beam import beam_search
from ...decoding.hypotheses import Hypothesis
from ...errors import DataError, RunError
from ...limits import MAX_PICTURE_SIDE
from ...models.captioner import Captioner
from ...options import Options, option
from ...training.task import Evaluation
from ...vision.preparation import GIVEN, Preparation, open_rows
from ...vision.resize import fit
from ..run import LoadedRun, read_vocabulary
from .decode import CaptionBeam, attend, describe
from .gather import check_sources, gather, prepare_rows
from .metrics import caption_words, score_captions
from .task import evaluate_captioner


@dataclass(frozen=True, kw_only=True)
class CaptionEvaluation(CaptionBeam):
    """How to evaluate a captioner."""

    split: str | None = option(None, "the split to use from a JSON of captions")


@dataclass(frozen=True)
class CaptionerRun(LoadedRun):
    """A captioner's run directory, loaded."""

    what: ClassVar[str] = "a captioner"
    used_by: ClassVar[str] = "unspool caption"
    eval_options: ClassVar[type[Options]] = CaptionEvaluation

    model: Captioner
    sentences: Sentences
    preparation: Preparation

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        preparation = read_preparation(path, config["task"].get("preparation"))
        sentences = Sentences(read_vocabulary(path, config))
        return {"sentences": sentences, "preparation": preparation}

    def caption(self, pictures: Sequence[np.ndarray], **options: Any) -> list[list[Hypothesis]]:
        """Return the best captions of each picture (H, W, 3), uint8 RGB of any size. `options` are
        those of `describe` (num_beams, n_best, length_penalty, do_sample, ...). If the run was
        trained on features computed elsewhere, pass rows of features.

            run.caption([pixels])[0][0].text
        """
        return self._describe(self._rows(pictures), **options) if len(pictures) else []

    def attention(self, picture: np.ndarray, caption: Hypothesis) -> tuple[list[str], np.ndarray]:
        """Return the tokens of a picture's caption, END last, and weights (T, height, width): how
        much each place of the square that the model saw counted for each token; (T, S) if S is not
        a square number. Raises ConfigError if the model has no attention.
        """
        (weights,) = attend(self.model, self.sentences, self._rows([picture]), [caption.ids])
        side = math.isqrt(weights.shape[1])
        if side**2 == weights.shape[1]:
            weights = weights.reshape(-1, side, side)
        return [*self.sentences.tokens(caption.ids), "END"], weights

    def shown(self, picture: np.ndarray) -> np.ndarray | None:
        """Return the square of a picture (H, W, 3) that the model sees; None for features."""
        return None if self.preparation.cnn == GIVEN else fit(picture, self.preparation.size, 0)

    def _rows(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return the checked input of the model."""
        rows = np.concatenate(list(self.preparation.rows(pictures)))
        check_rows(self.model, rows)
        return rows

    def _describe(self, rows: np.ndarray, **options: Any) -> list[list[Hypothesis]]:
        return describe(self.model, self.sentences, rows, **options)

    def evaluate(self, *sources: str, **options: Any) -> Evaluation:
        """Measure the loss per token, and BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D of the captions
        found by beam search, on lower-case words without punctuation as COCO's evaluation counts
        them.

        `sources`: pictures (or features, .npz) and captions; without any, the held-out part.
        `options` are those of `CaptionEvaluation`.
        """
        how = CaptionEvaluation(**options)
        beam = how.arguments(beam_search)
        with TemporaryDirectory() as folder:
            part, notes = self._part(sources, how.split, Path(folder) / "rows")
            check_rows(self.model, part.features)
            loss = evaluate_captioner(self.model, part, self.sentences.end)
            found = [best[0] for best in self._describe(part.features, **beam)]
        references = [[caption_words(text) for text in texts] for texts in part.texts]
        metrics = score_captions([caption_words(best.text) for best in found], references)
        details = {
            "pictures": len(found),
            "unfinished": sum(not best.finished for best in found),
            **beam,
            "notes": list(notes),
        }
        return Evaluation(loss.loss_nats, loss.tokens, metrics=metrics, details=details)

    def _part(
        self, sources: tuple[str, ...], split: str | None, rows: Path
    ) -> tuple[CaptionPart, tuple[str, ...]]:
        """Gather captioned pictures from files, or from the held-out part."""
        if not sources:
            return self.own_data(open_captions, "name pictures and their captions").val, ()
        plain = bool(self.config["task"].get("plain", True))
        data = gather(*check_sources(sources), split, plain=plain, track=self.track)
        if (data.given is None) == (self.preparation.cnn == GIVEN):
            has = "pictures" if data.given is None else "features"
            raise DataError(f"{data.source} has {has}: use what the run was trained on")
        made = prepare_rows(data, self.preparation, rows, self.track)
        shared = self.shared_with_training(
            open_captions, lambda own: overlap_note(own.keys, data.keys, "pictures")
        )
        part = caption_part(made, data.names, data.captions, self.sentences)
        return part, (*data.notes, *shared)


def open_captions(directory: Path) -> CaptionData:
    """Open what `unspool train caption` kept of pictures and captions."""
    data = CaptionData.open(directory, [open_rows(directory / f"{name}.rows") for name in PARTS])
    read_preparation(directory, data.preparation)
    return data


def read_preparation(path: Path, described: Any) -> Preparation:
    """Read how a run prepares pictures. Raises RunError, naming `path`, if that is invalid."""
    try:
        preparation = Preparation(**described)
    except TypeError as error:
        raise RunError(f"{path} is damaged: it has no preparation") from error
    size, flags = preparation.size, (preparation.is_trained, preparation.is_pooled)
    is_size = type(size) is int and 0 <= size <= MAX_PICTURE_SIDE
    if not is_size or {type(flag) for flag in flags} != {bool}:
        raise RunError(f"{path} is damaged: its preparation of pictures is {described}")
    return preparation


def check_rows(model: Captioner, rows: np.ndarray) -> None:
    """Raise DataError if features have another size than the model's."""
    wanted = model.w_features.shape[1]
    if model.cnn is None and rows.shape[-1] != wanted:
        raise DataError(f"the run describes features of {wanted} numbers, got {rows.shape[-1]}")
