"""``gpdeep explore``: what it says, and how it ends, where there is nothing to serve."""

import socket
import sys
import threading

import pytest

from gpdeep.cli import run


def call(capsys, *arguments):
    code = run(["explore", *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


@pytest.mark.parametrize("port", ["-1", "65536", "many"])
def test_what_is_no_port_is_a_usage_error(capsys, port):
    code, out, err = call(capsys, "--port", port)
    assert (code, out) == (2, "")
    assert "to change:" in err
    assert "Traceback" not in err


def test_a_port_in_use_is_told(capsys):
    pytest.importorskip("matplotlib", reason="without it nothing is served at all")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, out, err = call(capsys, "--port", str(port), "--no-browser")
    assert (code, out) == (1, "")
    assert f"Port {port} of 127.0.0.1 cannot be used" in err
    assert "--port 0" in err


@pytest.mark.parametrize("package", ["panel", "matplotlib"])
def test_a_missing_package_names_the_extra(capsys, monkeypatch, package):
    pytest.importorskip("matplotlib", reason="without it panel is not looked for")
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "gpdeep.explore.page", raising=False)
    code, out, err = call(capsys, "--port", "0", "--no-browser")
    assert (code, out) == (1, "")
    assert f"'{package}'" in err
    assert "gpdeep[explore]" in err


def test_a_free_port_is_found_and_left_free():
    from gpdeep.explore.serving import ADDRESS, free_port

    port = free_port(0)
    assert 0 < port < 65536
    assert free_port(port) == port
    assert ADDRESS == "127.0.0.1"


@pytest.mark.parametrize("option", ["--browser", "--no-browser"])
def test_the_address_is_printed_and_opened_if_wanted(capsys, monkeypatch, option):
    opened = threading.Event()
    monkeypatch.setattr("webbrowser.open", lambda address: opened.set())
    monkeypatch.setattr("gpdeep.explore.serving.serve", lambda port, ready: ready(f"http://127.0.0.1:{port}/"))
    code, out, err = call(capsys, "--port", "1234", option)
    assert (code, out, err) == (0, "http://127.0.0.1:1234/\n", "Ctrl-C ends it.\nEnded.\n")
    assert opened.wait(0.5 if option == "--no-browser" else 30.0) == (option == "--browser")
