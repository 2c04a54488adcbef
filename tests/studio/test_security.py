"""Nobody but the studio's own page may call it."""

import re
from importlib.resources import files

import pytest
from starlette.testclient import TestClient
from tests.studio.conftest import TOKEN, client_of

from unspool.studio.app import create_app
from unspool.studio.security import MOST_BYTES, Codes

STATIC = files("unspool.studio") / "static"


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], f"{TOKEN}x", "\xe9"])
def test_a_call_needs_the_token(client, given):
    refused = client.get("/api/runs", headers={"x-unspool-token": given.encode("latin-1")})
    assert refused.status_code == 401
    assert "open the address that `unspool studio` printed" in refused.json()["detail"]


def test_a_code_is_good_for_one_browser(trained):
    codes, used = Codes(), []
    client = TestClient(create_app(trained, TOKEN, codes), base_url="http://127.0.0.1")
    code = codes.new(lambda: used.append(1))
    assert client.post("/enter", json={"code": code[:-1]}).status_code == 401
    assert client.post("/enter", json={"code": code * 9}).status_code == 422
    for headers in ({"host": "evil.example"}, {"origin": "http://127.0.0.1:9999"}):
        assert client.post("/enter", json={"code": code}, headers=headers).status_code == 403
    assert used == []
    answer = client.post("/enter", json={"code": code})
    assert answer.json() == {"token": TOKEN}
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers  # other servers of this machine would get it
    assert client.post("/enter", json={"code": code}).status_code == 401
    assert used == [1]


def test_the_token_is_not_on_the_page_and_the_page_needs_none(trained):
    page = client_of(trained, token="none").get("/")
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/runs"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1"},
        {"origin": "http://127.0.0.1:9999"},
        {"host": "evil.example"},
        {"host": "evil.example:8787"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "127.0.0.1@evil.example"},
        {"host": "[::1"},
        {"host": ""},
    ],
)
def test_another_page_or_name_is_refused(client, path, headers):
    assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8787", "localhost:8787", "localhost"])
def test_the_own_page_is_let_through(client, host):
    headers = {"host": host, "origin": f"http://{host}"}
    assert client.get("/api/runs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/static/app.js", {}, 200),
        ("/static/none.js", {}, 404),
        ("/api/runs", {}, 200),
        ("/api/runs", {"x-unspool-token": ""}, 401),
        ("/api/runs", {"host": "evil.example"}, 403),
        ("/api/runs/config/none", {}, 400),
        ("/api/unrolled?trained=x", {}, 422),
    ],
)
def test_every_answer_has_the_policy(client, path, headers, status):
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "name",
    [
        "%2E%2E",
        "..%2Fother",
        "a%2F..%2F..%2Fother",
        "%2Fetc",
        "..%2F..%2Fetc",
        "%2E",
        "a%00b",
        "x" * 5000,
    ],
)
@pytest.mark.parametrize("call", ["runs/config", "runs/curve"])
def test_a_run_lies_below_the_folder(changing, call, name):
    (changing.root.parent / "other").mkdir()
    (changing.root.parent / "other" / "config.json").write_text("{}")
    answer = changing.get(f"/api/{call}/{name}")
    assert answer.status_code == 400
    assert "must be a folder below" in answer.json()["detail"]


def test_a_link_that_leads_out_of_the_folder_is_not_followed(changing, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    (changing.root / "link").symlink_to(tmp_path / "other")
    assert changing.get("/api/runs/config/link").status_code == 400
    listed = {one["name"]: one for one in changing.get("/api/runs").json()}
    assert "must be a folder below" in listed["link"]["error"]
    assert "error" not in listed["verse"]


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"]
)
def test_files_of_the_page_are_the_only_ones(client, path):
    assert client.get(path).status_code == 404


def test_what_is_too_large_is_refused_before_it_is_read(client):
    length, chunked = {"content-length": str(MOST_BYTES + 1)}, {"transfer-encoding": "chunked"}
    assert posted(client, length) == (413, 0)
    assert posted(client, chunked) == (411, 0)


def posted(client, headers):
    """The status of a POST, and how often its body was asked for."""
    headers = client.build_request("POST", "/", headers=headers).headers
    headers = [(name.lower(), value) for name, value in headers.raw]
    asked, status = [], []

    async def receive():
        asked.append(1)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        status.append(message.get("status"))

    scope = {
        "type": "http", "method": "POST", "path": "/api/runs/start", "raw_path": b"",
        "root_path": "", "query_string": b"", "http_version": "1.1", "scheme": "http",
        "headers": headers,
    }  # fmt: skip
    client.portal.call(client.app, scope, receive, send)
    return status[0], len(asked)


def test_the_page_works_without_the_internet():
    """No file names another host; all that the page loads is in the package."""
    texts = {path.name: path.read_text() for path in walk(STATIC)}
    for name, text in texts.items():
        found = re.findall(r"""(?:https?:)?//[\w.-]+\.\w+[^\s"'`]*""", text)
        assert [url for url in found if "www.w3.org/2000/svg" not in url] == [], name
    assert {"index.html", "app.js", "calls.js", "style.css", "runs.js", "play.js"} <= texts.keys()
    for name in re.findall(r'"/static/([^"]+)"', texts["index.html"]):
        assert (STATIC / name).is_file(), name


def test_scripts_load_only_what_there_is():
    for path in walk(STATIC):
        if path.name.endswith(".js"):
            for name in re.findall(r'(?:from|import) "(\.[^"]+)"', path.read_text()):
                assert (path.parent / name).resolve().is_file(), f"{path.name}: {name}"


def walk(folder):
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from walk(entry)
        else:
            yield entry
