"""Caption scores: the numbers of pycocoevalcap's own code, kept and live; words as in COCO."""

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unspool import ConfigError
from unspool.tasks.caption.metrics import bleu, caption_words, cider, rouge_l, score_captions

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "captions.json").read_text("utf-8"))
PAIRS = [(pair["candidate"].split(), [r.split() for r in pair["references"]])
         for pair in GOLDEN["pairs"]]  # fmt: skip
sentences = st.lists(st.sampled_from("abcd"), max_size=7)
pairs = st.tuples(sentences, st.lists(sentences, min_size=1, max_size=3))


def peer_scores(candidates, references):
    """What pycocoevalcap's own code gives for the same words. It made tests/golden."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pycocoevalcap", reason="pip install pycocoevalcap")
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    found = {i: [" ".join(words)] for i, words in enumerate(candidates)}
    truth = {i: [" ".join(words) for words in refs] for i, refs in enumerate(references)}
    scores = Bleu(4).compute_score(truth, found, verbose=0)[0]
    scores += [peer.compute_score(truth, found)[0] for peer in (Rouge(), Cider())]
    names = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")
    return dict(zip(names, map(float, scores), strict=True))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["what"])
def test_the_scores_that_pycocoevalcap_gave(case):
    chosen = [PAIRS[i] for i in case["pairs"]]
    candidates, references = zip(*chosen, strict=True)
    if case["single"]:
        references = [refs[:1] for refs in references]
    assert score_captions(candidates, references) == pytest.approx(case["scores"], rel=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=5))
def test_the_scores_that_pycocoevalcap_gives(chosen):
    candidates, references = zip(*chosen, strict=True)
    assume(any(words for refs in references for words in refs))  # the peer's max() of nothing
    expected = peer_scores(candidates, references)
    found = score_captions(candidates, references)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_golden_pairs_cover_what_goes_wrong():
    candidates = [candidate for candidate, _ in PAIRS]
    assert len(PAIRS) >= 24
    assert {0, 1} <= {len(words) for words in candidates}
    assert any(len(set(words)) < len(words) / 2 for words in candidates)
    assert {1, 5} <= {len(refs) for _, refs in PAIRS}


def test_bleu_by_hand():
    """Papineni's example: `the` counts twice, as in one reference; lengths 7, 6, 7."""
    candidate = ["the"] * 7
    refs = [caption_words(text) for text in ("the cat is on the mat", "there is a cat on the mat")]
    assert bleu([candidate], [refs])[0] == pytest.approx(2 / 7)
    # Of the lengths 2 and 4, as near to 3, the shorter one counts: no penalty.
    assert bleu([["a", "b", "c"]], [[["a", "b"], ["a", "b", "x", "y"]]])[0] == pytest.approx(2 / 3)


def test_rouge_takes_its_best_parts_from_any_reference():
    # P = 2/3 from the first, R = 1 from the second.
    found = rouge_l([["a", "b", "x"]], [[["a", "b", "c", "d"], ["x"]]])
    assert found == pytest.approx(2.44 * (2 / 3) / (1 + 1.44 * 2 / 3))


def test_a_perfect_caption_scores_ten():
    references = [[["a", "small", "red", "dog"]], [["two", "men", "at", "work"]]]
    candidates = [refs[0] for refs in references]
    assert cider(candidates, references) == pytest.approx(10)
    assert cider(candidates[::-1], references) == 0
    assert cider(candidates[:1], references[:1]) == 0  # one image: every weight is log(1)


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        ([], [], "candidates and references must have the same length, at least 1, got 0 and 0"),
        ([["a"]], [], "got 1 and 0"),
        ([["a"], ["b"]], [[["a"]], []], "at least 1 caption for every image, got none for image 1"),
    ],
)
def test_what_cannot_be_scored(candidates, references, message):
    for score in (score_captions, bleu, rouge_l, cider):
        with pytest.raises(ConfigError) as error:
            score(candidates, references)
        assert message in str(error.value)


@pytest.mark.parametrize("row", GOLDEN["words"], ids=lambda row: row["text"])
def test_the_words_that_ptbtokenizer_left(row):
    assert caption_words(row["text"]) == row["words"].split()


def test_the_words_of_no_caption():
    assert caption_words("") == caption_words(' . . . "" -- ') == []


@given(st.text())
def test_any_text_has_words_without_blanks(text):
    assert all(word and not any(c.isspace() for c in word) for word in caption_words(text))
