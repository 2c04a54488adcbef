"""Metrics of captions: BLEU, ROUGE-L and CIDEr-D, as in COCO's caption evaluation."""

import html
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import regex

from ...data.words import LETTER, MARK, SPACE
from ...errors import ConfigError

Words = Sequence[str]
Ngrams = Counter[tuple[str, ...]]
Candidates = Sequence[Words]  # one caption per image
References = Sequence[Sequence[Words]]  # the captions that people wrote, one or more per image

_ORDERS = (1, 2, 3, 4)
_TINY, _SMALL = 1e-15, 1e-9  # COCO's epsilons against division by zero
_BETA = 1.2  # by how much ROUGE-L prefers recall
_SIGMA = 6.0  # CIDEr-D: the deviation of differences in length, in words
# The weights beta_n = 1/4, times the factor of 10 that the paper gives CIDEr-D.
_CIDER_SCALE = 10.0 / len(_ORDERS)


def score_captions(candidates: Candidates, references: References) -> dict[str, float]:
    """Return all scores of one caption per image against its references: `bleu1` to `bleu4`,
    `rouge_l` and `cider` (1.0 is what others print as 100).

        score_captions([["a", "dog"]], [[["a", "dog", "runs"], ["the", "dog"]]])

    Words come from `caption_words`. Raises ConfigError if there are no candidates, if the numbers
    of candidates and references differ, or if an image has no references.
    """
    scores = {f"bleu{n}": value for n, value in enumerate(bleu(candidates, references), start=1)}
    return scores | {
        "rouge_l": rouge_l(candidates, references),
        "cider": cider(candidates, references),
    }


def bleu(candidates: Candidates, references: References) -> list[float]:
    """Return BLEU-1 to BLEU-4 of all captions together (Papineni et al. 2002), unsmoothed.

        BLEU-N = min(1, e^(1 - r/c)) (p_1 ... p_N)^(1/N)

    p_n is the share of n-grams that a reference has too (each at most as often as in one
    reference), c the number of words, r that of the references closest in length (the shorter of
    two equally close). The epsilons are COCO's: if no n consecutive words match, the score is
    slightly above 0.
    """
    hits, guesses = [0] * len(_ORDERS), [0] * len(_ORDERS)
    words = closest = 0
    for candidate, refs in _pairs(candidates, references):
        most: Ngrams = Counter()
        for reference in refs:
            most |= _ngrams(reference)
        for ngram, count in (_ngrams(candidate) & most).items():
            hits[len(ngram) - 1] += count
        for n in _ORDERS:
            guesses[n - 1] += max(0, len(candidate) - n + 1)
        words += len(candidate)
        closest += min((abs(len(r) - len(candidate)), len(r)) for r in refs)[1]
    ratio = (words + _TINY) / (closest + _SMALL)
    brevity = math.exp(min(0.0, 1 - 1 / ratio))
    product, scores = 1.0, []
    for n, hit, guess in zip(_ORDERS, hits, guesses, strict=True):
        product *= (hit + _TINY) / (guess + _SMALL)
        scores.append(brevity * product ** (1 / n))
    return scores


def rouge_l(candidates: Candidates, references: References) -> float:
    """Return ROUGE-L (Lin 2004), the mean over images.

        F = (1 + b^2) P R / (R + b^2 P),   b = 1.2

    P and R are the longest common subsequence over the length of the candidate and of the
    reference; each is the best over all references, so they may come from different ones.
    """
    return _mean(_rouge_of(*pair) for pair in _pairs(candidates, references))


def cider(candidates: Candidates, references: References) -> float:
    """Return CIDEr-D (Vedantam et al. 2015), the mean over images; from 0 to 10.

        10/4 sum_n 1/m sum_j e^(-(l - l_j)^2 / 2 s^2) min(g, g_j) . g_j / (|g| |g_j|),   s = 6

    g and g_j hold the n-grams of the candidate and of its m references, each counted times
    log(images) - log(images with a reference that has it). That weight depends on the references
    given: scores of different sets cannot be compared, and a single image scores 0. The lengths l
    and l_j are in words.
    """
    pairs = list(_pairs(candidates, references))
    scorer = CiderD([refs for _, refs in pairs])
    return _mean(scorer.score(candidate, image) for image, (candidate, _) in enumerate(pairs))


class CiderD:
    """CIDEr-D of single captions of images with known references; see `cider`."""

    def __init__(self, references: References) -> None:
        self._tables = [[_ngrams(reference) for reference in refs] for refs in references]
        images = Counter(ngram for refs in self._tables for ngram in set().union(*refs))
        log_images = math.log(len(self._tables))
        self._weights: defaultdict[tuple[str, ...], float] = defaultdict(lambda: log_images)
        self._weights |= {ngram: log_images - math.log(n) for ngram, n in images.items()}

    def score(self, candidate: Words, image: int) -> float:
        """Score a caption of image number `image`."""
        return _cider_of(_ngrams(candidate), self._tables[image], self._weights)


def _pairs(candidates: Candidates, references: References) -> Iterator[tuple[Words, list[Words]]]:
    if len(candidates) != len(references) or not candidates:
        raise ConfigError(
            "candidates and references must have the same length, at least 1, "
            f"got {len(candidates)} and {len(references)}"
        )
    for i, (candidate, refs) in enumerate(zip(candidates, references, strict=True)):
        if not refs:
            raise ConfigError(
                f"references must have at least 1 caption for every image, got none for image {i}"
            )
        yield candidate, list(refs)


def _ngrams(words: Words) -> Ngrams:
    return Counter(tuple(words[i : i + n]) for n in _ORDERS for i in range(len(words) - n + 1))


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def _rouge_of(candidate: Words, references: Sequence[Words]) -> float:
    # COCO's code splits at spaces, which makes an empty caption one empty word.
    candidate = candidate or ("",)
    common = [(_common(candidate, r or ("",)), len(r or ("",))) for r in references]
    precision = max(c for c, _ in common) / len(candidate)
    recall = max(c / length for c, length in common)
    if precision == 0:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _common(a: Words, b: Words) -> int:
    """Return the length of the longest common subsequence.

    A row of the usual table is one integer: bit i is 0 if the length grows at a[i] (Hyyrö 2004), so
    a word of b costs three operations instead of len(a).
    """
    places: defaultdict[str, int] = defaultdict(int)
    for i, word in enumerate(a):
        places[word] |= 1 << i
    row = full = (1 << len(a)) - 1
    for word in b:
        matches = row & places[word]
        row = ((row + matches) | (row - matches)) & full
    return len(a) - row.bit_count()


def _cider_of(
    candidate: Ngrams, references: Sequence[Ngrams], weights: dict[tuple[str, ...], float]
) -> float:
    mine, my_norms, my_length = _weighted(candidate, weights)
    total = 0.0
    for reference in references:
        its, its_norms, its_length = _weighted(reference, weights)
        dots = [0.0] * len(_ORDERS)
        for ngram in mine.keys() & its.keys():
            dots[len(ngram) - 1] += min(mine[ngram], its[ngram]) * its[ngram]
        cosines = (
            dot / (a * b) for dot, a, b in zip(dots, my_norms, its_norms, strict=True) if a * b
        )
        total += math.exp(-((my_length - its_length) ** 2) / (2 * _SIGMA**2)) * math.fsum(cosines)
    return _CIDER_SCALE * total / len(references)


def _weighted(
    ngrams: Ngrams, weights: dict[tuple[str, ...], float]
) -> tuple[dict[tuple[str, ...], float], list[float], int]:
    """Return the weighted n-grams, their norm for each n, and the number of words."""
    vector = {ngram: count * weights[ngram] for ngram, count in ngrams.items()}
    squares = [0.0] * len(_ORDERS)
    for ngram, value in vector.items():
        squares[len(ngram) - 1] += value * value
    length = sum(count for ngram, count in ngrams.items() if len(ngram) == 1)
    return vector, [math.sqrt(square) for square in squares], length


_PLAIN = str.maketrans("‘’`“”…–—", "'" * 3 + '"' * 2 + " " * 3)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_REMOVED = set("'\".?!,:;-")
_TWO_WORDS = regex.compile(
    r"\b(?:can(?=not\b)|gon(?=na\b)|got(?=ta\b)|wan(?=na\b)|(?:gim|lem)(?=me\b))"
    r"|(?<!\w)'t(?=(?:is|was)\b)"
)
_CONTRACTION = regex.compile(r"(?<=\w)(?=(?:n't|'(?:s|re|ve|ll|d|m))\b)")
_WORD = regex.compile(
    rf"""
      n't\b | '(?:s|re|ve|ll|d|m|t(?=\s+(?:is|was)))\b    # what was cut off above
    | 'n'
    | \b(?:[^\W\d_]\.)+(?!\w)                             # u.s., a.m.
    | \b(?:mr|mrs|ms|dr|st|jr|sr|vs|etc|mt|ft|co|inc)\. | \bno\.(?=\s*\d)
    # t-shirt, o'clock, 10:30
    | [{LETTER}][{LETTER}{MARK}]* (?: [-'/.,:] \d+ | [-'/_.]? [{LETTER}] [{MARK}]* )*
    | [^{SPACE}{MARK}]
    """,
    regex.VERBOSE,
)


def caption_words(text: str) -> list[str]:
    """Split a caption into words as COCO's evaluation does: lower case, without punctuation.

        caption_words("A man's dog doesn't bark.")  # a man 's dog does n't bark

    This reproduces Stanford's PTBTokenizer and COCO's list of punctuation without Java, with
    brackets as -lrb- and -rrb-. It differs in rare cases: web addresses, HTML tags and emoticons
    are split; decades ('90s) lose their apostrophe; rock'n'roll, y'all and 5'10" stay one word;
    "?!" is dropped; only common abbreviations are known.
    """
    text = html.unescape(text).lower().translate(_PLAIN)
    text = _TWO_WORDS.sub(r"\g<0> ", text)
    words = _WORD.findall(_CONTRACTION.sub(" ", text))
    return [_BRACKETS.get(word, word) for word in words if set(word) - _REMOVED]
