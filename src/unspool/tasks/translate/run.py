"""The run of a translator, which translates sentences and is evaluated on parallel text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...data import (
    PairData,
    Sentences,
    load_sentences,
    overlap_note,
    read_parallel,
)
from ...data.pairs import encode_lines, without_empty
from ...data.words import one_spaced
from ...decoding.beam import beam_search
from ...decoding.hypotheses import Hypothesis
from ...decoding.options import Beam
from ...errors import ConfigError, DataError
from ...inspection import Spans
from ...models.translator import Translator
from ...options import Options, option
from ...training.task import Evaluation
from ..reading import Reading
from ..run import LoadedRun, check_size, check_vocabulary
from .decode import attend, translate
from .task import evaluate_translator

NOTHING = Hypothesis("", 0.0, 0.0, True, np.zeros(0, np.int32))


@dataclass(frozen=True, kw_only=True)
class TranslateEvaluation(Beam):
    """How to evaluate a translator."""

    tokenize: str = option("13a", "tokeniser of sacreBLEU; none: the text is already tokenised")


@dataclass(frozen=True)
class TranslatorRun(LoadedRun):
    """A translator's run directory, loaded."""

    what: ClassVar[str] = "a translator"
    used_by: ClassVar[str] = "unspool translate"
    eval_options: ClassVar[type[Options]] = TranslateEvaluation

    model: Translator
    source: Sentences
    target: Sentences

    @classmethod
    def parts(cls, path: Path, config: dict[str, Any]) -> dict[str, Any]:
        source, target = load_sentences(path)
        task = config["task"]
        check_vocabulary(target.vocab, path, task)
        check_size(path, config, "vocab_size", len(target.vocab))
        name = "source_vocab_size"
        shared = config["model"].get(name) is None
        check_size(path, config, "vocab_size" if shared else name, len(source.vocab))
        check_vocabulary(source.vocab, path, {"vocabulary": task.get("source_vocabulary")})
        return {"source": source, "target": target}

    def reading(self, text: str, condition: str | None) -> Reading:
        """Read sentences as the encoder does: single spaces, and a space before each."""
        lines = "".join(f" {one_spaced(line)}\n" for line in text.splitlines() if line.strip())
        vocab = self.source.vocab
        return Reading(self.model, vocab, Spans(lines, *vocab.spans(lines)), None)

    def translate(self, texts: Sequence[str], **options: Any) -> list[list[Hypothesis]]:
        """Return the best translations of each sentence; `options` are those of `decode.translate`
        (num_beams, length_penalty, n_best, ...). An empty sentence stays empty.

        run.translate(["two dogs play ."])[0][0].text
        """
        full = [i for i, text in enumerate(texts) if text.strip()]
        found: list[list[Hypothesis]] = [[NOTHING]] * len(texts)
        sources = [self.source.encode(texts[i]) for i in full]
        for i, best in zip(
            full, translate(self.model, self.target, sources, **options), strict=True
        ):
            found[i] = best
        return found

    def attention(
        self, texts: Sequence[str], translations: Sequence[Hypothesis]
    ) -> list[tuple[list[str], list[str], np.ndarray]]:
        """Return, for each sentence and its translation, the tokens of both, END last, and the
        attention weights (T, S): how much each token of the sentence counted for each token of the
        translation.
        """
        sources = [self.source.encode(text) for text in texts]
        ids = [one.ids for one in translations]
        weights = attend(self.model, self.target, sources, ids)
        return [
            (self.source.tokens(x), [*self.target.tokens(y), "END"], w)
            for x, y, w in zip(sources, ids, weights, strict=True)
        ]

    def evaluate(self, *sources: str, **options: Any) -> Evaluation:
        """Measure the loss per target token; on files (source and target, or a TSV) also BLEU and
        chrF of the translations with `signature`, as sacreBLEU counts them (Post 2018).

        `options` are those of `TranslateEvaluation`.
        """
        how = TranslateEvaluation(**options)
        if not sources:
            val = self.own_data(PairData.open, "name a source and a target file").val
            return evaluate_translator(self.model, val, self.target.end)
        if len(sources) > 2:
            raise DataError(f"name a source and a target file, or a TSV, got {len(sources)} files")
        score = _scorer(how.tokenize)
        lines, notes = without_empty(read_parallel(*sources))
        pairs = encode_lines(lines, self.source, self.target)
        notes += self.shared_with_training(
            PairData.open,
            lambda data: overlap_note(
                data.train.source.contents(), pairs.source.contents(), "sentences"
            ),
        )
        loss = evaluate_translator(self.model, pairs, self.target.end)
        beam = how.arguments(beam_search)
        found = translate(self.model, self.target, pairs.source.split(), **beam)
        metrics, details = score([best[0].text for best in found], lines.target)
        details |= {
            "sentences": len(found),
            "unfinished": sum(not best[0].finished for best in found),
            **beam,
        }
        return Evaluation(
            loss.loss_nats, loss.tokens, metrics=metrics, details=details | {"notes": notes}
        )


def _scorer(tokenize: str) -> Any:
    """Return a function (translations, references) -> BLEU and chrF, and how they were counted."""
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise ConfigError(
            "BLEU and chrF need the package sacrebleu: pip install 'unspool[metrics]'"
        ) from error
    if tokenize not in BLEU.TOKENIZERS:
        known = ", ".join(sorted(BLEU.TOKENIZERS))
        raise ConfigError(f"tokenize must be one of {known}, got {tokenize!r}")
    try:
        counts = {"bleu": BLEU(tokenize=tokenize, force=True), "chrf": CHRF()}
    except (ImportError, RuntimeError, OSError) as error:  # of many lines, naming the package
        raise ConfigError(
            f"tokenize must have its package or model installed, got {tokenize!r}",
            "see sacreBLEU's documentation or choose 13a",
        ) from error

    def score(found: list[str], wanted: list[str]) -> tuple[dict[str, float], dict[str, Any]]:
        scores = {name: count.corpus_score(found, [wanted]).score for name, count in counts.items()}
        signatures = {name: count.get_signature().format() for name, count in counts.items()}
        return scores, {"signature": signatures["bleu"], "chrf_signature": signatures["chrf"]}

    return score
