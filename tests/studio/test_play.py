"""Text that grows token by token from states that are kept."""

import json

import numpy as np
import pytest
from tests.studio.conftest import SMALL, VERSE, client_of

import unspool
from unspool.decoding import make_transforms
from unspool.studio import play
from unspool.studio.play import whole_characters
from unspool.tasks.text.recipe import TEXT


@pytest.fixture(scope="module")
def run(trained):
    return unspool.load(trained / "verse")


def begin(client, text="The "):
    made = client.post("/api/play/open/verse", json={"text": text})
    assert made.status_code == 200, made.text
    return made.json()


def write(client, session, node, **draw):
    """The tokens that are written after a node."""
    answer = client.post(f"/api/play/write/{session}/{node}", json={"most": 12, **draw})
    assert answer.status_code == 200, answer.text
    return [token for line in answer.text.splitlines() for token in json.loads(line)]


def text_of(tokens):
    return "".join(token["text"] for token in tokens)


def softmax(scores):
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


def scores_after(run, text):
    """The scores that the model in training gives for the next token, from the whole text."""
    tokens = np.asarray(run.vocab.encode(text))[None]
    logits, _ = run.model(tokens, run.model.initial_state(1))
    return np.asarray(logits[0, -1], np.float64)


def test_the_choices_are_the_models_distribution(client, run):
    made = begin(client)
    shape = {"temperature": 0.5, "top_k": 7, "top_p": 0.9}
    found = client.post(
        f"/api/play/next/{made['session']}/{made['tokens'][-1]['node']}", json=shape
    )
    scores = scores_after(run, "The ")
    p = softmax(scores)
    shaped = scores.astype(np.float32)[None]
    for transform in make_transforms(0.5, 7, 0.9):
        shaped = transform(shaped)
    shaped = softmax(np.asarray(shaped[0], np.float64))
    rows = found.json()
    assert [row["p"] for row in rows] == sorted((row["p"] for row in rows), reverse=True)
    for row in rows:
        assert row["p"] == pytest.approx(p[row["token"]], rel=1e-4)
        assert row["shaped"] == pytest.approx(shaped[row["token"]], rel=1e-4)
        assert row["text"] == run.vocab.token_text(row["token"])
    assert sum(row["shaped"] > 0 for row in rows) <= 7


def test_a_pick_is_the_token_and_what_follows_knows_it(client, run):
    made = begin(client)
    (token,) = run.vocab.encode("w").tolist()
    picked = client.post(
        f"/api/play/pick/{made['session']}/{made['tokens'][-1]['node']}/{token}"
    ).json()
    assert picked["text"] == "w"
    rows = client.post(f"/api/play/next/{made['session']}/{picked['node']}", json={}).json()
    p = softmax(scores_after(run, "The w"))
    assert rows[0]["p"] == pytest.approx(p.max(), rel=1e-4)


def test_the_same_seed_writes_the_same_text(client):
    made = begin(client)
    node = made["tokens"][-1]["node"]
    drawn = [
        text_of(write(client, made["session"], node, seed=seed, temperature=2))
        for seed in (3, 3, 4)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("shape", [{}, {"temperature": 1.3, "top_k": 20, "top_p": 0.95}])
def test_a_seed_writes_what_sample_writes(client, run, shape):
    made = begin(client)
    shape = {"temperature": 0.8, "seed": 7, **shape}
    written = write(client, made["session"], made["tokens"][-1]["node"], most=80, **shape)
    whole = run.sample("The ", max_new_tokens=80, **shape)
    assert ("The " + text_of(written)).rstrip("\ufffd") == whole.rstrip("\ufffd")


def test_going_back_takes_another_way(client):
    made = begin(client)
    node = made["tokens"][-1]["node"]
    first = write(client, made["session"], node, seed=7, temperature=2)
    again = write(client, made["session"], first[3]["node"], seed=7, temperature=2, most=8)
    assert text_of(again) != text_of(first[4:])


def test_writing_from_an_earlier_place_leaves_the_rest(client):
    made = begin(client)
    session, node = made["session"], made["tokens"][-1]["node"]
    first = write(client, session, node, seed=1)
    before = client.post(f"/api/play/next/{session}/{first[-1]['node']}", json={}).json()
    other = write(client, session, first[3]["node"], seed=2)
    assert not {token["node"] for token in first} & {token["node"] for token in other}
    assert client.post(f"/api/play/next/{session}/{first[-1]['node']}", json={}).json() == before
    again = write(client, session, node, seed=1)
    assert text_of(again) == text_of(first)


def test_temperature_0_is_the_greedy_text(client, run):
    made = begin(client)
    written = write(client, made["session"], made["tokens"][-1]["node"], temperature=0, most=30)
    whole = run.sample("The ", max_new_tokens=30, temperature=0)
    assert ("The " + text_of(written)).rstrip("\ufffd") == whole.rstrip("\ufffd")


def test_characters_of_several_bytes_are_shown_whole(client, run):
    made = begin(client, "— é")
    assert [token["text"] for token in made["tokens"]] == ["", "", "—", " ", "", "é"]
    node = made["tokens"][-1]["node"]
    lead, rest = "é".encode()
    first = client.post(f"/api/play/pick/{made['session']}/{node}/{lead}").json()
    second = client.post(f"/api/play/pick/{made['session']}/{first['node']}/{rest}").json()
    assert (first["text"], second["text"]) == ("", "é")


@pytest.mark.parametrize(
    ("data", "text", "pending"),
    [
        (b"a", "a", b""),
        ("é".encode()[:1], "", b"\xc3"),
        (b"a\xf0\x9f\x98", "a", b"\xf0\x9f\x98"),
        (b"\xf0\x9f\x98\x80", "😀", b""),
        (b"\xff", "\ufffd", b""),
        (b"\xc3a", "\ufffda", b""),
    ],
)
def test_bytes_wait_for_their_character(data, text, pending):
    assert whole_characters(data) == (text, pending)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "type at least one character"), (VERSE * 2, "at most 2,000 tokens")],
)
def test_a_prompt_that_cannot_be(client, text, message):
    refused = client.post("/api/play/open/verse", json={"text": text})
    assert refused.status_code == 400
    assert message in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("next/{session}/999", "there is no token number 999"),
        ("write/{session}/999", "there is no token number 999"),
        ("pick/{session}/0/256", "token must be from 0 to 255, got 256"),
        ("next/unknown/0", "no longer kept"),
    ],
)
def test_a_place_that_is_not_there(client, path, message):
    session = begin(client)["session"]
    refused = client.post(f"/api/play/{path.format(session=session)}", json={})
    assert refused.status_code == 400
    assert message in refused.json()["detail"]


def test_the_oldest_text_is_forgotten(client):
    first = begin(client, "a")["session"]
    others = [begin(client, "a")["session"] for _ in range(play.KEPT)]
    assert client.post(f"/api/play/next/{first}/0", json={}).status_code == 400
    for session in others:
        assert client.post(f"/api/play/next/{session}/0", json={}).status_code == 200


def test_writing_ends_with_a_sentence_where_memory_ends(client, monkeypatch):
    made = begin(client)
    monkeypatch.setattr(play, "MOST_BYTES", 10_000)
    written = write(client, made["session"], made["tokens"][-1]["node"], most=500)
    assert "start over" in written[-1]["error"]
    assert all("text" in token for token in written[:-1])


def test_a_run_without_weights_says_so(changing):
    (changing.root / "verse" / "model.safetensors").unlink()
    refused = changing.post("/api/play/open/verse", json={"text": "a"})
    assert "has no weights yet" in refused.json()["detail"]


def test_new_weights_are_read_again(changing, run):
    store = changing.app.state.store
    first = store.load("verse")
    assert store.load("verse") is first
    (changing.root / "verse" / "model.safetensors").touch()
    assert store.load("verse") is not first


def test_words_go_on_after_a_blank_and_are_never_unknown(tmp_path):
    (tmp_path / "t.txt").write_text(
        "".join(f"the heron counts the stones {n}\n" * (n < 9) for n in range(60)) * 4
        + " ".join(f"rare{n}" for n in range(400))
    )
    options = {**SMALL, "tokens": "word", "sample_tokens": 0, "val_fraction": 0.01}
    source = (str(tmp_path / "t.txt"),)
    for _ in TEXT.start(source, tmp_path / "runs" / "verse", TEXT.merge(source, options)):
        pass
    unknown = unspool.load(tmp_path / "runs" / "verse").vocab.unknown_id
    with client_of(tmp_path / "runs") as client:
        made = begin(client, "the heron ")
        assert text_of(made["tokens"]).strip() == "the heron"
        node = made["tokens"][-1]["node"]
        found = client.post(f"/api/play/next/{made['session']}/{node}", json={"temperature": 5})
        assert all(one["p"] == 0 for one in found.json() if one["token"] == unknown)
        drawn = write(client, made["session"], node, temperature=5, most=200)
        assert "<unk>" not in text_of(drawn)
