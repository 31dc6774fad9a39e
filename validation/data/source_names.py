"""The name under which results know the data that networks were trained on."""

from __future__ import annotations


def data_name(data: str) -> str:
    """What the key of a result calls the data: the name of a folder, and not where it lies.

    >>> data_name("digits"), data_name("somewhere/fashion-mnist/")
    ('digits', 'fashion-mnist')
    """
    return data.replace("\\", "/").rstrip("/").rpartition("/")[2]
