"""A translation task without a corpus: whole numbers, written out in English and in German.

    4721   four thousand seven hundred twenty one   ->   vier tausend sieben hundert ein und zwanzig

Nearly word by word, but German says the ones before the tens, with a word between them, and one has two forms. So a
translator has to reorder, and to know what comes next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpdeep.errors import DomainError
from gpdeep.result import IntArray

from .streams import stream

PAD, START, END = 0, 1, 2
_MARKS = ("<pad>", "<start>", "<end>")
LARGEST = 9999


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_EN_SMALL = _listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_EN_TENS = _listed("twenty thirty forty fifty sixty seventy eighty ninety")
_DE_SMALL = _listed(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
_DE_TENS = _listed("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")


def english(number: int) -> list[str]:
    """The words of a number from 0 to 9999.

    >>> " ".join(english(4721))
    'four thousand seven hundred twenty one'
    """
    thousands, hundreds, rest = _cut(number)
    words = [_EN_SMALL[thousands], "thousand"] if thousands else []
    words += [_EN_SMALL[hundreds], "hundred"] if hundreds else []
    if rest < 20:
        return [*words, _EN_SMALL[rest]] if rest or not words else words
    tens, ones = divmod(rest, 10)
    return [*words, _EN_TENS[tens - 2], *([_EN_SMALL[ones]] if ones else [])]


def german(number: int) -> list[str]:
    """The words of a number from 0 to 9999, written apart.

    >>> " ".join(german(4721)), " ".join(german(101))
    ('vier tausend sieben hundert ein und zwanzig', 'ein hundert eins')
    """
    thousands, hundreds, rest = _cut(number)
    words = [_before(thousands), "tausend"] if thousands else []
    words += [_before(hundreds), "hundert"] if hundreds else []
    if rest < 20:
        return [*words, _DE_SMALL[rest]] if rest or not words else words
    tens, ones = divmod(rest, 10)
    return [*words, *([_before(ones), "und"] if ones else []), _DE_TENS[tens - 2]]


@dataclass(frozen=True, eq=False)
class Translation:
    """Sentences of word numbers in two parts, filled up with 0; targets begin with 1 and end with 2.

    Parameters
    ----------
    train_source, test_source : ndarray of int64, shape (sentences, words)
    train_target, test_target : ndarray of int64, shape (sentences, words)
    source_words, target_words : tuple of str
        What the numbers stand for.
    """

    train_source: IntArray
    train_target: IntArray
    test_source: IntArray
    test_target: IntArray
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]


def number_words(seed: int = 0, train: int = 4000, test: int = 1000, *, largest: int = LARGEST) -> Translation:
    """Numbers in English and in German; no number is in both parts.

    Parameters
    ----------
    seed : int
        Of the choice of numbers.
    train, test : int
        Numbers in each part.
    largest : int
        From 1 to 9999.

    Returns
    -------
    Translation

    Raises
    ------
    DomainError
        There are not so many numbers.

    Examples
    --------
    >>> found = number_words(0, 20, 5, largest=99)
    >>> " ".join(found.target_words[word] for word in found.train_target[0] if word)
    '<start> drei und vierzig <end>'
    """
    if not 1 <= largest <= LARGEST or min(train, test) < 1 or train + test > largest + 1:
        raise DomainError(
            f"{train} and {test} of the numbers from 0 to {largest}.",
            "There are fewer numbers than are asked for, none are, or they do not end at 9999 at most.",
            f"Give parts of {min(largest, LARGEST) + 1} numbers in all.",
        )
    chosen = stream("number words", seed).permutation(largest + 1)[: train + test]
    sentences = [(english(int(number)), german(int(number))) for number in chosen]
    source = _numbered([words for words, _ in sentences], ends=False)
    target = _numbered([words for _, words in sentences], ends=True)
    return Translation(source[:train], target[:train], source[train:], target[train:], _SOURCE, _TARGET)


def _cut(number: int) -> tuple[int, int, int]:
    """Thousands, hundreds, and what is left below a hundred."""
    if not 0 <= number <= LARGEST:
        raise DomainError(
            f"The number {number}.", "Words are known for 0 to 9999.", "Give a whole number in this range."
        )
    return number // 1000, number // 100 % 10, number % 100


def _before(digit: int) -> str:
    """A digit before another word: eins loses its s."""
    return "ein" if digit == 1 else _DE_SMALL[digit]


_SOURCE = (*_MARKS, *_EN_SMALL, *_EN_TENS, "hundred", "thousand")
_TARGET = (*_MARKS, *_DE_SMALL, *_DE_TENS, "ein", "und", "hundert", "tausend")
_NUMBERS = {word: number for words in (_SOURCE, _TARGET) for number, word in enumerate(words)}
_LONGEST = {False: 6, True: 9}  # words of a source; of a target with its two marks


def _numbered(sentences: list[list[str]], ends: bool) -> IntArray:
    rows = np.full((len(sentences), _LONGEST[ends]), PAD, dtype=np.int64)
    for row, words in zip(rows, sentences, strict=True):
        numbers = [_NUMBERS[word] for word in words]
        numbers = [START, *numbers, END] if ends else numbers
        row[: len(numbers)] = numbers
    return rows
