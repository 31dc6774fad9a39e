"""The README's first shell block holds two commands, and its first picture is the program's own output."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_first_shell_block_holds_exactly_two_commands() -> None:
    first, second = blocks("sh")[0].strip().split("\n")
    assert first.endswith("gpdeep depth 784,128x50,10")
    assert second.endswith("python -m pytest")


def test_first_picture_is_what_the_first_command_prints() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "gpdeep", "depth", "784,128x50,10"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert run.stdout == blocks("text")[0]
