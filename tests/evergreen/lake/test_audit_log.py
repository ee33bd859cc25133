"""The audit log: one line per act, also with concurrent writers, and every change is detected."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import LakeError, PromotionError
from evergreen.governance import audit
from evergreen.lake import audit_log
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import AUDIT

AT = pd.Timestamp("2013-01-01", tz="UTC")


@pytest.fixture
def lake(tmp_path):
    return DeltaLake(str(tmp_path))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of six lines, and the seal of the fourth."""
    lake = DeltaLake(str(tmp_path_factory.mktemp("log")))
    lines = [audit_log.write(lake, "toy", "ingest", f"b{number}", AT, detail={"rows": number}) for number in range(6)]
    return lake, lines


def test_lines_follow_one_another_from_the_first_to_the_last(log):
    lake, lines = log
    assert audit_log.read(lake, "toy") == lines
    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line.before for line in lines] == ["", *(line.hash for line in lines[:-1])]
    assert audit.problems(lines, [lines[3].seal]) == []


def test_the_same_act_again_is_one_line_and_another_detail_is_another_act(lake):
    first = audit_log.write(lake, "toy", "promotion", "7", AT, detail={"judged": "6"})
    audit_log.write(lake, "toy", "verdict", "8", AT)
    again = audit_log.write(
        lake, "toy", "promotion", "7", AT + pd.Timedelta(days=1), by="somebody", detail={"judged": "6"}
    )
    assert again == first
    other = audit_log.write(lake, "toy", "promotion", "7", AT, detail={"judged": "5"})
    assert [line.number for line in audit_log.read(lake, "toy")] == [1, 2, 3]
    assert other.number == 3


def test_those_that_write_at_once_write_one_after_the_other(lake):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: audit_log.write(lake, "toy", "ingest", f"b{number % 20}", AT), range(40)))
    lines = audit_log.read(lake, "toy")
    assert sorted(line.subject for line in lines) == sorted(f"b{number}" for number in range(20))
    assert audit.problems(lines, []) == []


@pytest.mark.long
def test_a_long_log_lies_in_few_files_and_is_whole(lake):
    for number in range(40):
        audit_log.write(lake, "toy", "ingest", f"b{number}", AT)
    assert len(DeltaTable(lake.uri("toy", AUDIT)).file_uris()) < 12
    assert audit.problems(audit_log.read(lake, "toy"), []) == []


def test_acts_before_a_moment_are_left_out_and_each_model_has_its_own(lake):
    for days in range(3):
        audit_log.write(lake, "toy", "decision", "train", AT + pd.Timedelta(days=days), detail={"day": days})
    assert [line.number for line in audit_log.read(lake, "toy", AT + pd.Timedelta(days=1))] == [2, 3]
    assert audit_log.read(lake, "other") == []


@pytest.mark.parametrize(
    ("tampered", "says"),
    [
        (lambda lines: [*lines[:2], replace(lines[2], subject="b9"), *lines[3:]], "Line 3 (ingest of b9) was changed"),
        (lambda lines: [*lines[:2], replace(lines[2], by="nobody"), *lines[3:]], "Line 3 (ingest of b2) was changed"),
        (lambda lines: [*lines[:2], *lines[3:]], "Lines are missing or duplicated after line 2"),
        (lambda lines: lines[1:], "Lines are missing or duplicated at the start"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], "Lines are missing or duplicated after line 3"),
        (lambda lines: lines[:3], "Line 4 is not as sealed outside the table"),
        (lambda lines: [], "Line 4 is not as sealed outside the table"),
    ],
    ids=["a subject", "a person", "one is gone", "the first is gone", "one twice", "the end is gone", "all is gone"],
)
def test_what_was_tampered_with_is_found(log, tampered, says):
    _, lines = log
    assert audit.problems(tampered(lines), [lines[3].seal])[0].startswith(says)


@given(
    place=st.integers(0, 5), field=st.sampled_from(["model", "at", "written", "act", "run", "detail", "id", "before"])
)
def test_no_field_of_any_line_can_be_changed_unseen(log, place, field):
    _, lines = log
    changed = list(lines)
    changed[place] = replace(changed[place], **{field: getattr(changed[place], field) + "x"})
    assert audit.problems(changed, []) != []


@given(place=st.integers(0, 5))
def test_a_line_that_was_changed_and_hashed_anew_breaks_the_chain_or_the_seal(log, place):
    _, lines = log
    forged = replace(lines[place], by="somebody else")
    forged = replace(forged, hash=audit_log._hash(forged))
    assert audit.problems([*lines[:place], forged, *lines[place + 1 :]], [lines[-1].seal]) != []


def test_a_line_that_was_changed_in_the_table_is_found(log, registry):
    lake, _ = log
    table = DeltaTable(lake.uri("toy", AUDIT)).to_pyarrow_table()
    changed = [("b9" if subject == "b2" else subject) for subject in table["subject"].to_pylist()]
    forged = table.set_column(table.schema.get_field_index("subject"), "subject", pa.array(changed))
    elsewhere = DeltaLake(f"{lake.root}-forged")
    write_deltalake(elsewhere.uri("toy", AUDIT), forged)
    assert audit.verify(lake, registry, "toy").problems == []
    verified = audit.verify(elsewhere, registry, "toy")
    assert verified.lines == 6
    assert verified.problems == ["Line 3 (ingest of b9) was changed after it was written."]


def test_a_log_that_cannot_be_written_says_so(lake, tmp_path):
    (tmp_path / "toy").write_text("no folder")
    with pytest.raises(LakeError, match=r"Cannot write .*toy/audit"):
        audit_log.write(lake, "toy", "ingest", "b", AT)


def test_a_champion_is_moved_only_from_what_the_move_was_decided_on(lake):
    assert audit_log.newest_move(lake, "toy") is None
    first = audit_log.write(lake, "toy", "promotion", "1", AT, after=0)
    audit_log.write(lake, "toy", "verdict", "2", AT)
    assert audit_log.newest_move(lake, "toy") == first
    with pytest.raises(PromotionError, match=r"another process has moved .* \(promotion of version 1\)"):
        audit_log.write(lake, "toy", "promotion", "2", AT, after=0)
    assert audit_log.write(lake, "toy", "promotion", "1", AT, after=0) == first  # the same act again
    back = audit_log.write(lake, "toy", "rollback", "0", AT, after=first.number)
    with pytest.raises(PromotionError, match=r"\(rollback of version 0\)"):
        audit_log.write(lake, "toy", "retirement", "1", AT, after=first.number)
    with pytest.raises(PromotionError):
        audit_log.write(lake, "toy", "promotion", "1", AT, after=0)  # not any more: another move has followed
    again = audit_log.write(lake, "toy", "promotion", "1", AT, after=back.number)
    assert again != first
    assert [line.act for line in audit_log.read(lake, "toy")] == ["promotion", "verdict", "rollback", "promotion"]
    assert audit_log.newest_move(lake, "toy") == again
    assert audit.problems(audit_log.read(lake, "toy"), []) == []


def test_of_many_that_replace_the_same_champion_at_once_one_does(lake):
    audit_log.write(lake, "toy", "promotion", "0", AT, after=0)

    def replaced(number):
        try:
            return audit_log.write(lake, "toy", "promotion", str(number), AT, after=1).subject
        except PromotionError:
            return None

    with ThreadPoolExecutor(6) as pool:
        done = [subject for subject in pool.map(replaced, range(1, 13)) if subject]
    assert len(done) == 1
    assert [line.subject for line in audit_log.read(lake, "toy")] == ["0", *done]
