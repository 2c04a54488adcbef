"""Runs and Play in a browser, by mouse and keys."""

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def written(page):
    return page.locator(".written").inner_text()


@pytest.fixture
def play(page):
    """The page of Play, after its prompt is read."""
    page.open("play/verse")
    page.locator(".choices button").first.wait_for()
    return page


def test_the_runs_are_listed_with_a_curve_and_their_configuration(page):
    page.open("runs")
    page.get_by_role("link", name="deeper/verse").wait_for()
    assert page.title() == "Runs – Unspool studio"
    assert "code=" not in page.url
    page.locator("canvas.curve").wait_for()
    page.get_by_text("Configuration of").first.click()
    page.get_by_text("hidden_size").first.wait_for()
    box = page.get_by_role("checkbox", name="show the curve of verse", exact=True)
    before = box.is_checked()
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked(checked=not before)


def test_a_run_leads_to_play_and_a_prompt_is_read(page):
    page.open("runs")
    page.get_by_role("link", name="deeper/verse").click()
    page.locator(".choices button").first.wait_for()
    assert page.title() == "Play – deeper/verse – Unspool studio"
    page.get_by_label("prompt").fill("wheel")
    page.keyboard.press("Enter")
    expect(page.locator(".written")).to_have_text("wheel")


def test_writing_rewinding_and_picking(play):
    play.get_by_role("spinbutton", name="tokens").fill("20")
    play.get_by_role("button", name="Write").click()
    expect(play.locator(".written span")).to_have_count(24)
    play.get_by_role("button", name="Write").wait_for()
    play.locator(".written").click(position={"x": 24, "y": 22})  # on the prompt
    play.locator(".written .cursor").wait_for()
    cursor = play.locator(".written span.after").count()
    assert 20 <= cursor < 24
    expect(play.locator(".choices")).to_have_attribute("aria-busy", "false")
    first = play.locator(".choices .token").first.inner_text()
    play.keyboard.press("1")
    expect(play.locator(".written span")).to_have_count(25 - cursor)
    assert written(play).endswith(first.replace("\u2423", " ").replace("\u21b5", "\n"))
    play.get_by_title("go back to this branch").click()
    expect(play.locator(".written span")).to_have_count(24)


def test_after_a_stop_the_choices_are_those_of_the_place(play):
    play.get_by_role("combobox", name="pace").select_option("60")
    play.get_by_role("button", name="Write").click()
    expect(play.locator(".written span").nth(10)).to_be_attached()
    play.get_by_role("button", name="Stop").click()
    play.get_by_role("button", name="Write").wait_for()
    expect(play.locator(".choices")).to_have_attribute("aria-busy", "false")
    count = play.locator(".written span").count()
    play.keyboard.press("1")
    expect(play.locator(".written span")).to_have_count(count + 1)


def test_the_text_is_walked_by_keys(play):
    play.locator(".written").focus()
    play.keyboard.press("ArrowLeft")
    expect(play.locator(".written .after")).to_have_count(1)
    play.keyboard.press("Home")
    expect(play.locator(".written .after")).to_have_count(3)
    play.keyboard.press("End")
    expect(play.locator(".written .after")).to_have_count(0)


def test_only_the_views_of_the_runs_kind_are_offered(play):
    names = play.get_by_role("navigation").get_by_role("link").all_inner_texts()
    assert names == ["Runs", "Unrolled", "Play", "Units", "Gradients"]


def test_a_run_that_is_not_there_says_so(page):
    page.open("play/none")
    page.get_by_text("is not a run directory").first.wait_for()
    page.wrong.clear()  # the browser's own line about the status 400


def test_reloads_and_other_tabs_are_let_in_and_another_browser_is_not(page, address, chromium):
    used = address.new()
    page.goto(used)
    page.get_by_role("link", name="deeper/verse").wait_for()
    page.reload()
    page.get_by_role("link", name="deeper/verse").wait_for()
    for other in (address.bare, used):
        tab = page.context.new_page()
        tab.goto(other)
        tab.get_by_role("link", name="deeper/verse").wait_for()
        assert "code=" not in tab.url
    assert page.context.cookies() == []
    stranger = chromium.new_context().new_page()
    stranger.goto(used)
    stranger.get_by_text("each works in one browser").wait_for()
    stranger.context.close()


def test_without_the_token_the_page_says_where_it_is(page, address):
    page.goto(address.bare)
    page.get_by_text("open the address that `unspool studio` printed").wait_for()
    page.wrong.clear()


@pytest.mark.parametrize("view", ["runs", "play/verse"])
def test_a_phone_shows_it_without_scrolling_sideways(page, view):
    page.set_viewport_size({"width": 390, "height": 844})
    page.open(view)
    page.locator("table, .choices button").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
