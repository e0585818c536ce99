"""docs/reliability.md: the numbers in tests' names are its rows."""

import re

from conftest import CHECKOUT

# Cases that no test can have here, each with its reason.
WITHOUT_TEST = {
    "F01": "the kills of test_resume.py, which have no number in their name",
    "F18": "there is one worker so far",
    "F23": "TensorFlow Datasets' own",
}


def test_each_number_is_a_row_and_each_row_has_a_test():
    text = (CHECKOUT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([BF]\d\d) \|", text, re.MULTILINE)
    assert rows == sorted(rows, key=lambda n: (n[0] == "F", n))
    assert len(rows) == len(set(rows)) == 56 + 31
    numbers = set()
    for file in (CHECKOUT / "tests").glob("test_*.py"):
        if file.name != "test_reliability_list.py":
            code = file.read_text(encoding="utf-8")
            for name in re.findall(r"def test_((?:[bf]\d\d_)+)", code):
                numbers |= {n.upper() for n in name.split("_") if n}
            numbers |= set(re.findall(r"\"([BF]\d\d) ", code))
    assert numbers - set(rows) == set()
    assert set(rows) - numbers == set(WITHOUT_TEST)
