"""tests/mutations/planted.py: each fault is still there to be made."""

import sys

import pytest
from conftest import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests" / "mutations"))

from planted import PLANTED


@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_a_planted_fault_fits_its_file_in_one_place(number):
    name, before, after = PLANTED[number]
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    assert after != before
