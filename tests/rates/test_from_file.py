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
        ("speed\n1\nfast\n", "must be numbers"),
        ("speed\n1\n0\n", r"speeds\[1\] = 0.0"),
        ("speed,label\n1,a\n,b\n", r"speeds\[1\] = nan"),
        ("speed\n", "at least one server"),
        ("speed,count\n1,1\n2,\n", "rates.counts = nan"),
        ("speed,count\n1,1\n2,1.5\n", "rates.counts = 1.5"),
        ("speed,count\n1,many\n", "rates.counts = many"),
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
