from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet.errors import InputError
from depthnet.io.pfm import read_pfm

ROWS = np.array([[1.5, -2.0, np.inf], [4.0, 5.0, 6.0]], np.float32)


@pytest.mark.parametrize(("scale", "order"), [("-1.0", "<f4"), ("1", ">f4"), ("-0.003922", "<f4")])
def test_rows_stand_from_the_bottom_up_in_either_byte_order(tmp_path: Path, scale: str, order: str) -> None:
    file = tmp_path / "a.pfm"
    file.write_bytes(f"Pf\n3 2\n{scale}\n".encode() + ROWS[::-1].astype(order).tobytes())
    values = read_pfm(file)
    np.testing.assert_array_equal(values, ROWS)
    assert values.dtype == np.float32


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"", "begins with b''"),
        (b"PF\n3 2\n-1\n" + bytes(72), "grey float map"),
        (b"P5\n3 2\n255\n" + bytes(6), "grey float map"),
        (b"Pf\n3 2\n-1\n" + bytes(23), "23 bytes after the header; 3x2 floats are 24"),
        (b"Pf\n3 2\n-1\n" + bytes(25), "25 bytes"),
        (b"Pf\n3 2\n0\n" + bytes(24), "scale that is not 0"),
        (b"Pf\n3 0\n-1\n", "scale that is not 0"),
        (b"Pf\n3 2\n1e\n" + bytes(24), "scale that is not 0"),
    ],
)
def test_what_is_no_whole_grey_map_is_refused(tmp_path: Path, blob: bytes, words: str) -> None:
    (tmp_path / "a.pfm").write_bytes(blob)
    with pytest.raises(InputError, match=rf"a\.pfm: .*{words}"):
        read_pfm(tmp_path / "a.pfm")
    with pytest.raises(InputError, match="cannot be read"):
        read_pfm(tmp_path / "b.pfm")


@settings(max_examples=50, deadline=None)
@given(
    head=st.from_regex(rb"P[fF]\s+\d{1,3}\s+\d{1,3}\s+[-+.\deE]{1,5}\n", fullmatch=True), body=st.binary(max_size=64)
)
def test_any_bytes_give_a_map_or_one_line(tmp_path_factory: pytest.TempPathFactory, head: bytes, body: bytes) -> None:
    file = tmp_path_factory.mktemp("pfm") / "a.pfm"
    file.write_bytes(head + body)
    try:
        values = read_pfm(file)
    except InputError as error:
        message = str(error)
        assert "a.pfm" in message
        assert "\n" not in message
        return
    assert values.nbytes == len(body)
