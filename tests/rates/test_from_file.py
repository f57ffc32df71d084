"""Fleets from files: labels, counts, and every fault named with its file."""

import pytest

from jfsq_simpy import rates
from jfsq_simpy.errors import DataError


def written(tmp_path, text):
    path = tmp_path / "fleet.csv"
    path.write_text(text)
    return path


def test_a_file_with_labels(tmp_path):
    fleet = rates.file(written(tmp_path, "label, speed\nold, 100\nnew, 300\n"))
    assert fleet.vector().tolist() == [1.5, 0.5]
    assert fleet.labels == ("new", "old")
    assert fleet.time_unit == 0.005


def test_a_file_with_counts(tmp_path):
    fleet = rates.file(written(tmp_path, "speed,count,label\n1,2,slow\n4,1,fast\n1,1,spare\n"))
    assert fleet.vector() == pytest.approx([16 / 7, 4 / 7, 4 / 7, 4 / 7])
    assert fleet.labels == ("fast", "slow", "slow", "spare")
    assert rates.file(written(tmp_path, "speed,count\n1,1000000000\n2,1\n")).n_servers == 10**9 + 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a CSV file"),
        ("rate\n1\n", "has no column `speed` \\(found: rate\\)"),
        ("speed\n1\nfast\n", "line 3: speed = fast must be a finite number above 0"),
        ("speed\n1\n0\n", "line 3: speed = 0 must be"),
        ("speed,label\n1,a\n,b\n", "line 3: speed is missing; it must be"),
        ("speed\r\n1\r\n-2\r\n", "line 3: speed = -2 must be"),
        ("speed\ninf\n", "line 2: speed = inf must be"),
        ("\nspeed\n1\n\n  \n2\n\n-1\n-2\n", "line 8: speed = -1 must be"),  # blank lines are no rows, but lines
        ('label,speed\n"two\nlines",1\n"three\n\nlines",0\n', "line 4: speed = 0 must be"),
        ("label, speed\na, 1\nb, x\n", "line 3: speed = x must be"),
        ("speed\n", "at least one server"),
        ("speed,count\n1,1\n2,\n", "line 3: count is missing; it must be a whole number of servers"),
        ("speed,count\n1,1\n2,1.5\n", "line 3: count = 1.5 must be"),
        ("speed,count\n1,many\n", "line 2: count = many must be"),
        ("speed,count\n1,2\n3,0\n", "line 3: count = 0 must be"),
        ("speed,count\n1,1e30\n", "2\\^53"),
        ('speed\n"1\n', "is not a CSV file"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=says) as caught:
        rates.file(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_directory_and_bytes_are_named(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00speed")
    for path in (tmp_path / "missing.csv", tmp_path, tmp_path / "bytes.csv"):
        with pytest.raises(DataError, match=str(path)):
            rates.file(path)
