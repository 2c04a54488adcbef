"""The Units view: values, next tokens, annotations, spans; the page's colours and keys."""

import numpy as np
import pytest

import unspool
from unspool.inspection import next_tokens, trace_model
from unspool.studio.cells import pieces

TEXT = "The wheel — été — will\tspin 12 times,\nTHE THREAD (and thread) comes in 日本.\n" * 3


@pytest.fixture(scope="module")
def traced(client):
    return client.post("/api/cells/trace/verse", json={"text": TEXT}).json()


@pytest.fixture(scope="module")
def model(trained):
    return unspool.load(trained / "verse")


@pytest.fixture(scope="module")
def layers(model):
    (block,) = trace_model(model.model, model.vocab.encode(TEXT))
    return block.layers


def test_the_tokens_are_the_text_even_where_characters_have_many_bytes(traced, model):
    assert "".join(traced["tokens"]) == TEXT
    assert len(traced["tokens"]) == len(TEXT.encode())
    assert "".join(pieces("aé b", np.array([0, 1, 1, 3]))) == "aé b"


def test_values_are_those_of_the_trace(client, traced, layers):
    (layer,) = traced["layers"]
    assert layer["units"] == 8
    names = [one["name"] for one in layer["quantities"]]
    assert set(names) == set(layers[0])
    for name in names:
        answer = client.get(f"/api/cells/values/{traced['id']}/0/{name}")
        found = np.frombuffer(answer.content, np.int8).reshape(8, -1) / 127
        wanted = layers[0][name].T
        wanted = 2 * wanted - 1 if name in "ifozr" else np.tanh(wanted) if name == "c" else wanted
        assert np.abs(found - wanted).max() <= 0.5 / 127 + 1e-5


def test_next_tokens_are_the_models(client, traced, model):
    answer = client.get(f"/api/cells/next/{traced['id']}").content
    wanted = next_tokens(model.model, model.vocab.encode(TEXT), 5)
    steps = len(traced["tokens"])
    ids = np.frombuffer(answer, "<i4", 5 * steps).reshape(-1, 5)
    surprise = np.frombuffer(answer, "<f4", steps, 8 * 5 * steps)
    assert np.array_equal(ids, wanted.ids)
    assert np.array_equal(surprise, wanted.surprise, equal_nan=True)
    assert traced["vocabulary"][ids[0, 0]] == model.vocab.token_text(int(ids[0, 0]))


def test_units_are_ranked_by_annotation_pattern_and_span(client, traced):
    at = f"/api/cells/scores/{traced['id']}"
    assert {"capital", "digit", "position in line"} <= set(traced["annotations"])
    capital = client.get(at, params={"annotation": "capital"}).json()
    aucs = [one["auc"] for one in capital]
    assert len(aucs) == 8
    assert aucs == sorted(aucs, reverse=True)
    assert client.get(at, params={"pattern": "[A-Z]"}).json()[0]["auc"] == aucs[0]
    span = client.get(f"/api/cells/span/{traced['id']}", params={"first": 5, "last": 9}).json()
    gains = [one["inside"] - one["outside"] for one in span]
    assert gains == sorted(gains, reverse=True)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("span/{id}?first=5&last=99999", "span must be within"),
        ("scores/{id}?pattern=(", "is not a regular expression"),
        ("scores/{id}?annotation=URL", "is constant"),
        ("values/{id}/1/h", "layer 1 has no h"),
        ("values/none/0/h", "read it again"),
    ],
)
def test_wrong_questions_say_what_is_right(client, traced, path, message):
    answer = client.get("/api/cells/" + path.format(id=traced["id"]))
    assert answer.status_code == 400
    assert message in answer.text


def test_an_empty_text_is_refused_and_a_sample_is_held_out_text(client, model):
    assert client.post("/api/cells/trace/verse", json={"text": ""}).status_code == 400
    text = client.get("/api/cells/sample/verse").json()["text"]
    assert "the wheel — été — will spin" in text


def test_the_page_colours_the_text_by_the_chosen_unit(page):
    page.open("cells/verse")
    page.wait_for_selector(".next li")
    colours = "document.querySelector('.textmap-colours').toDataURL()"
    before = page.evaluate(colours)
    page.get_by_label("All units of").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".chosen").inner_text().startswith("unit 1 of layer 1")
    assert page.evaluate(colours) != before
    page.get_by_label("The text, coloured").focus()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector(".ranked li")
    assert "of the span" in page.locator(".ranked").inner_text()
    page.get_by_label("order of the units").select_option("capital")
    page.locator(".ranked", has_text="AUC").wait_for()
    page.get_by_label("Values over time").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".next li").count() == 5


def test_another_text_is_coloured_by_its_own_values(page):
    page.open("cells/verse")
    page.wait_for_selector(".next li")
    page.locator("details.source summary").click()
    page.locator("details.source textarea").fill("abc 123")
    with page.expect_response(lambda answer: "/api/cells/values/" in answer.url):
        page.get_by_role("button", name="Read this text").click()


def test_every_character_stands_over_its_colour(page):
    """Tabs, accents, wide and combining characters: the map of columns is that of the browser."""
    page.open("cells/verse")
    page.wait_for_selector(".next li")
    far = page.evaluate(
        """async () => {
          const { TextMap } = await import("/static/textmap.js");
          const box = document.createElement("div");
          document.querySelector("main").append(box);
          const map = new TextMap(box, { onCaret() {}, onSpan() {}, onHover() {} });
          const line = "if (x)\\t{\\n\\té = \\"日本語 a\\" 😀 nai\\u0308ve — “q” ";
          map.set([...line, ..."words ".repeat(60)]);
          let worst = 0;
          map.places.lines.forEach((line, row) => {
            const walk = document.createTreeWalker(map.lines.children[row], NodeFilter.SHOW_TEXT);
            let [node, at] = [walk.nextNode(), 0];
            for (const { text, column, width } of line) {
              if (text === "\\n") continue;
              while (at >= node.length) [node, at] = [walk.nextNode(), 0];
              const range = document.createRange();
              range.setStart(node, at);
              range.setEnd(node, (at += text.length));
              const left = map.lines.getBoundingClientRect().left + column * map.charWidth;
              const off = Math.abs(range.getBoundingClientRect().left - left);
              if (width) worst = Math.max(worst, off);
            }
          });
          return worst;
        }"""
    )
    assert far < 1.5


def test_without_a_run_the_page_says_where_to_choose_one(page):
    page.open("cells")
    page.get_by_text("Choose a run first").wait_for()
