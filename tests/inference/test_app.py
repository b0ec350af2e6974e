"""The page of `sdsiqa app`: what its server answers, whom it refuses, and what the command says before it starts."""

import http.client
import io
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest
import uvicorn
from checkpoints import branches, write_checkpoint
from fakes import scene
from PIL import Image

import sdsiqa
from sdsiqa.cli import main
from sdsiqa.errors import SettingError
from sdsiqa.images import read_image, write_image
from sdsiqa.inference.app import command, pictures, server
from sdsiqa.inference.app.pictures import LARGEST_FILE, SLIDERS, Pictures
from sdsiqa.inference.scorer import Scorer

pytestmark = pytest.mark.filterwarnings("default")
SECRET = "secret"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(
        tmp_path_factory.mktemp("app") / "best.ckpt", "SDSIQA", saliency="SpectralResidual", **branches("mobilenetv2_035")
    )


@pytest.fixture(scope="module")
def served(model: Path) -> Iterator[tuple[Scorer, Pictures, int]]:
    scorer = sdsiqa.load(model)
    held = Pictures(scorer)
    door = command.bound(0)
    running = uvicorn.Server(
        uvicorn.Config(server.application(held, model.name, SECRET), ws="none", lifespan="off", log_config=None)
    )
    thread = threading.Thread(target=running.run, kwargs={"sockets": [door]})
    thread.start()
    yield scorer, held, door.getsockname()[1]
    running.should_exit = True
    thread.join()


@pytest.fixture
def ask(served: tuple[Scorer, Pictures, int]) -> Iterator[Ask]:
    """Ask the server, which holds no pictures yet."""
    _, held, port = served
    held.clear()

    def answer(path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, f"/{SECRET}/{path}", body, headers)
            given = connection.getresponse()
            content = given.read()
            return given.status, json.loads(content) if given.headers.get_content_type() == "application/json" else content
        finally:
            connection.close()

    yield answer
    held.clear()


def add(ask: Ask, file: Path) -> tuple[int, Any]:
    return ask(f"pictures?name={quote(file.name)}", "POST", file.read_bytes())


def decoded(content: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_scores_are_those_of_the_command(
    ask: Ask, model: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"50% größer & <b>{suffix}"
    write_image(file, scene(1, 90, 120))
    status, row = add(ask, file)
    assert status == 200
    assert main(["score", str(file), "--checkpoint", str(model), "--format", "json"]) == 0
    expected = json.loads(capsys.readouterr().out)[0]["score"]
    assert (row["name"], row["size"]) == (file.name, [120, 90])
    assert row["score"] == expected
    assert row["shown"] == f"{expected:.3f}"
    assert ask("pictures") == (200, [row])
    assert decoded(ask(f"pictures/{row['key']}/thumbnail")[1]).shape == (72, 96, 3)


def test_a_picture_is_explained_and_distorted(ask: Ask, served: tuple[Scorer, Pictures, int], tmp_path: Path) -> None:
    scorer = served[0]
    file = tmp_path / "a.png"
    write_image(file, scene(2, 400, 500))
    key = add(ask, file)[1]["key"]
    status, maps = ask(f"pictures/{key}/explained")
    pixels, saliency = scorer.look(file)
    guides = scorer.guides(pixels, saliency)
    assert status == 200
    assert [drawn["name"] for drawn in maps] == ["saliency", *(f"attention {level + 1}" for level in range(len(guides)))]
    assert maps[1]["range"].startswith(f"{guides[0].min():.2f} to {guides[0].max():.2f}")
    assert all(drawn["image"].startswith("data:image/webp;base64,") for drawn in maps)
    for name, slider in SLIDERS.items():
        step = len(slider.strengths)
        harmed = slider.apply(read_image(file), slider.strengths[-1], np.random.default_rng(step))
        assert ask(f"pictures/{key}/{name}/{step}/score")[1]["score"] == 100 * scorer.score(harmed)
        assert ask(f"pictures/{key}/{name}/0/score")[1]["score"] == 100 * scorer.score(file)
        part = decoded(ask(f"pictures/{key}/{name}/{step}/part")[1])
        assert np.array_equal(part, harmed[40:360, 90:410])
        assert decoded(ask(f"pictures/{key}/{name}/{step}/whole")[1]).shape == harmed.shape
        assert ask(f"pictures/{key}/{name}/{step + 1}/score")[0] == 404
    assert ask(f"pictures/{key}/sharper/1/score")[0] == 404


def blank(side: int) -> bytes:
    """Give a small file of very many pixels."""
    buffer = io.BytesIO()
    Image.new("1", (side, side)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.txt", b"no picture", "notes.txt: is no picture that can be read; expected JPEG"),
        ("a.png", b"", "a.png: the file is empty"),
        ("cut.png", cv2.imencode(".png", scene(0, 64, 64))[1].tobytes()[:-40], "cut.png: the file is truncated"),
        ("tiny.png", cv2.imencode(".png", scene(0, 64, 20))[1].tobytes(), "tiny.png: is 20×64 pixels; expected 32 or more"),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "page.svg: is no picture that can be read"),
        ("wide.png", blank(9000), "wide.png: has 9000×9000 pixels; at most 50 million are taken; shrink it"),
        ("", b"no picture", "picture: is no picture"),
        ("a\nb\x1b[31m.txt", b"no picture", "ab[31m.txt: is no picture"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(ask: Ask, name: str, content: bytes, said: str) -> None:
    status, answer = ask(f"pictures?name={quote(name)}", "POST", content)
    assert status == 422
    assert answer["error"].startswith(said)
    assert "\n" not in answer["error"]
    assert ask("pictures") == (200, [])


def test_uploads_are_limited_in_size_and_count(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    write_image(file, scene(0, 64, 64))
    told = {"Content-Length": str(LARGEST_FILE + 1)}
    assert ask("pictures?name=a.png", "POST", None, **told) == (
        413,
        {"error": "a.png: has more than 32 MiB, the most that is taken; shrink it"},
    )
    chunks = iter([bytes(2**20)] * 3)  # sent without saying how much will come
    monkeypatch.setattr(server, "LARGEST_FILE", 2**21)
    assert ask("pictures?name=a.png", "POST", chunks)[0] == 413
    monkeypatch.setattr(pictures, "MOST_PICTURES", 2)
    assert [add(ask, file)[0] for _ in range(3)] == [200, 200, 422]
    assert "2 pictures are held, which is the most; clear the table first" in add(ask, file)[1]["error"]
    assert ask("pictures", "DELETE")[0] == 200
    monkeypatch.setattr(pictures, "MOST_BYTES", file.stat().st_size)
    assert [add(ask, file)[0] for _ in range(2)] == [200, 422]
    assert len(ask("pictures")[1]) == 1


def test_a_picture_that_is_gone_and_a_fault_are_sentences(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("explained", "thumbnail", "jpeg/1/score", "jpeg/1/part"):
        assert ask(f"pictures/gone/{path}") == (422, {"error": "this picture is not held any more; drop it again"})

    def fail(*given: object) -> None:
        raise RuntimeError("the device is gone\nand more")

    monkeypatch.setattr(Scorer, "score_planes", fail)
    write_image(tmp_path / "a.png", scene(0, 64, 64))
    assert add(ask, tmp_path / "a.png") == (500, {"error": "this could not be done: RuntimeError: the device is gone and more"})


def test_other_sites_and_other_names_of_this_machine_are_refused(ask: Ask, served: tuple[Scorer, Pictures, int]) -> None:
    port = served[2]
    assert ask("about")[0] == 200
    assert ask("about", Host=f"localhost:{port}")[0] == 200
    assert ask("about", Origin=f"http://127.0.0.1:{port}")[0] == 200
    assert ask("about", Host=f"rebound.example:{port}")[0] == 400
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port + 1}"):
        assert ask("pictures", "DELETE", Origin=origin)[0] == 403
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for path in ("/", "/about", "/pictures", "/wrong/about"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
    connection.close()


def test_the_page_asks_no_other_place_for_anything(ask: Ask, served: tuple[Scorer, Pictures, int]) -> None:
    texts = [ask(name)[1].decode() for name in ("", "page.css", "page.js")]
    assert "<title>sdsiqa app</title>" in texts[0]
    addresses = {word for text in texts for word in re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", text)}
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of SVG's elements; nothing is loaded
    connection = http.client.HTTPConnection("127.0.0.1", served[2], timeout=60)
    connection.request("GET", f"/{SECRET}/")
    policy = connection.getresponse().headers["Content-Security-Policy"]
    connection.close()
    assert "default-src 'none'" in policy
    assert not {"http:", "https:", "*", "'unsafe-inline'"} & set(policy.replace(";", " ").split())


def test_the_port_is_one_of_loopback_and_a_taken_one_is_said() -> None:
    with command.bound(0) as door:
        host, port = door.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(SettingError, match=rf"--port {port} cannot be used \(.*\); give another, or 0 for a free one"):
            command.bound(port)
    with pytest.raises(SettingError, match="--port 70000 cannot be used"):
        command.bound(70_000)


def test_where_the_usual_port_is_taken_there_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(command, "PORT", taken.getsockname()[1])
        with command.bound(None) as door:
            assert door.getsockname()[1] != taken.getsockname()[1]


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("starlette", "uvicorn"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert main(["app"]) == 1
    said = capsys.readouterr().err
    assert said == "sdsiqa app: starlette and uvicorn are needed for the page: pip install 'sdsiqa[app]'\n"


@pytest.mark.parametrize("words", [["--port", "many"], ["--checkpoint", "nowhere.ckpt"], ["--device", "abacus"], ["photo.jpg"]])
def test_wrong_words_are_one_line(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PORT", 0)
    try:
        status = main(["app", *words])
    except SystemExit as error:
        status = int(str(error.code))
    out, err = capsys.readouterr()
    assert status in (1, 2)
    assert (out, err.count("\n")) == ("", 1)
