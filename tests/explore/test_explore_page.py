"""The page in a browser: sliders are moved, and what is read there is what the commands print.

Needs panel, playwright and a Chromium, whose path may be given as CHROMIUM. Pictures of the page are left in the test's
folder.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

pytestmark = pytest.mark.browser

PATIENCE = 60.0  # seconds for what takes one on a free machine
SIZES = {"desktop": (1280, 900), "phone": (400, 800)}


@pytest.fixture(scope="module")
def server():
    """A running ``gpdeep explore``; its address. It ends by Ctrl-C and says nothing that was not expected."""
    command = [sys.executable, "-m", "gpdeep", "explore", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        address = process.stdout.readline().strip()
        timer.cancel()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield address
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "Ctrl-C ends it.\nEnded.\n")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium is installed"
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])  # root has no sandbox
        yield running
        running.close()


@pytest.fixture
def visit(server, browser):
    """A function that opens the page at a size; at the end it has called nobody but the server and has no errors."""
    opened, calls, errors = [], [], []

    def open_page(size="desktop"):
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: calls.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server)
        page.locator(".summary").wait_for()
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert [url for url in calls if not url.startswith((server, f"blob:{server}", "data:"))] == []
    assert errors == []


def commands(page):
    """The commands on the page."""
    return page.locator("pre").inner_text().splitlines()


def wait_for(condition):
    """Until it holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the page does not answer"
        time.sleep(0.05)


def slider(page, label):
    """The handle of a visible slider."""
    return page.locator(".bk-input-group").filter(has_text=label).get_by_role("slider")


def drag(page, label, pixels):
    """Take a slider's handle with the mouse and move it step by step; the value that then stands above it."""
    handle = slider(page, label)
    handle.hover()  # waits until it rests
    box = handle.bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + pixels, box["y"] + box["height"] / 2, steps=25)
    page.mouse.up()
    return float(page.locator(".bk-input-group").filter(has_text=label).locator(".bk-slider-value").inner_text())


def agree(page):
    """Whether every number of the page is the one its command prints, in a process of its own; how many there are."""
    read = page.locator("data").evaluate_all("all => all.map(one => [one.value, one.dataset.command, one.title])")
    objects = {}
    for text, command, key in read:
        if command not in objects:
            arguments = [sys.executable, "-m", *shlex.split(command), "--json"]
            run = subprocess.run(arguments, capture_output=True, text=True, check=False)
            assert run.returncode in (0, 3), run.stderr
            objects[command] = json.loads(run.stdout)
        wanted = objects[command]
        for part in key.split("."):
            wanted = wanted[int(part) if isinstance(wanted, list) else part]
        shown = None if text in ("", "inf", "-inf", "nan") else type(wanted)(text)
        if shown != wanted:
            return 0
    return len(read)


@pytest.mark.parametrize("size", SIZES)
def test_depth_follows_its_slider_and_is_the_commands(visit, tmp_path, size):
    page = visit(size)
    depth = int(drag(page, "depth L", 40))
    assert depth > 52
    page.get_by_role("slider").first.press("ArrowLeft")  # the width
    wait_for(lambda: commands(page) == [f"gpdeep depth 784,96x{depth},10 --sigma-w {2**0.5}"])
    assert f"of {depth} layers" in page.locator(".summary").inner_text()
    assert agree(page) == 8
    page.screenshot(path=tmp_path / f"depth_{size}.png", full_page=True)


@pytest.mark.parametrize("size", SIZES)
def test_maps_on_the_edge_are_the_commands(visit, tmp_path, size):
    page = visit(size)
    page.get_by_role("button", name="maps").click()
    page.get_by_role("combobox").select_option("tanh")
    page.get_by_role("checkbox").check()
    wait_for(lambda: commands(page)[0] == "gpdeep eoc tanh --sigma-b 0.0")
    sigma_b = drag(page, "σ_b", 30)
    assert 0 < sigma_b < 2
    wait_for(lambda: commands(page)[0] == f"gpdeep eoc tanh --sigma-b {sigma_b}")
    assert agree(page) >= 11
    page.screenshot(path=tmp_path / f"maps_{size}.png", full_page=True)


@pytest.mark.parametrize("size", SIZES)
def test_sparse_design_is_the_commands(visit, tmp_path, size):
    page = visit(size)
    page.get_by_role("button", name="sparse design").click()
    wait_for(lambda: commands(page)[0].startswith("gpdeep clip crelu --sparsity 0.85"))
    slider(page, "sparsity").press("ArrowLeft")
    wait_for(lambda: commands(page)[0].startswith("gpdeep clip crelu --sparsity 0.84 --slope 0.7"))
    assert agree(page) == 11
    page.screenshot(path=tmp_path / f"clip_{size}.png", full_page=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["depth", "maps", "sparse design"])
def test_nothing_is_cut_off(visit, size, name):
    """No sideways scrolling; letters of 10 points in pictures are at least 10 pixels high."""
    page = visit(size)
    page.get_by_role("button", name=name, exact=True).click()
    pictures = 1 if name == "depth" else 2
    wait_for(lambda: page.locator("img").count() == pictures)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for wide, inches in page.locator("img").evaluate_all("all => all.map(one => [one.width, one.naturalWidth / 96])"):
        assert wide / inches * 10 / 72 >= 10


def test_a_bad_position_shows_the_error_alone_and_going_back_the_answer(visit, tmp_path):
    page = visit()
    page.get_by_role("checkbox").check()
    wait_for(lambda: len(commands(page)) == 2)
    slider(page, "σ_b").press("ArrowRight")
    alert = page.get_by_role("alert")
    alert.wait_for()
    for part in ("relu has no edge of chaos", "likely cause", "to change"):
        assert part in alert.inner_text()
    assert [page.locator(kind).count() for kind in ("img", "data", "pre")] == [0, 0, 0]
    page.screenshot(path=tmp_path / "refusal.png", full_page=True)
    slider(page, "σ_b").press("ArrowLeft")
    page.locator(".summary").wait_for()
    assert alert.count() == 0
    assert agree(page) == 9


def test_the_comparison_tells_a_changed_number(visit):
    """Negative control: a digit of one number is changed in the page."""
    page = visit()
    assert agree(page) == 8
    page.locator("data").nth(2).evaluate("one => { one.value = String(Number(one.value) * (1 + 1e-15)) }")
    assert agree(page) == 0
