"""Parts of pages: read once for as long as nothing changes, waited for only so long, and kept where a store is away."""

import threading

from evergreen.errors import LakeError
from ui.known.parts import Part, Question, Reader

LONG = 60.0


def ask(reader, state, read, patience=LONG):
    return reader.parts({"it": Question("it", state, read)}, patience)["it"]


def test_the_same_state_is_read_once_and_another_again():
    reader, read = Reader(), []

    def count():
        read.append(1)
        return len(read)

    assert [ask(reader, state, count).value for state in ("a", "a", "b", "b")] == [1, 1, 2, 2]


def test_what_takes_longer_than_the_patience_is_pending_and_is_there_later():
    reader, go = Reader(), threading.Event()

    def slow():
        go.wait(LONG)
        return "read"

    assert ask(reader, "a", slow, 0.0) == Part(pending=True)
    go.set()
    assert ask(reader, "a", slow) == Part("read")


def test_the_value_before_is_shown_while_the_new_one_is_read():
    reader, go = Reader(), threading.Event()
    ask(reader, "a", lambda: "old")
    assert ask(reader, "b", lambda: go.wait(LONG), 0.0) == Part("old", pending=True)
    go.set()
    assert ask(reader, "b", lambda: None).value is True


def test_a_store_that_does_not_say_whether_something_has_changed_holds_up_nobody():
    reader, answers, asked = Reader(), threading.Event(), []

    def ask(look, patience):
        return reader.part(Question("it", 0, lambda: asked.append(1) or len(asked), look), patience)

    def hangs():
        answers.wait(LONG)
        return "a"

    assert ask(lambda: "a", LONG) == Part(1)
    assert [ask(hangs, 0.0) for _ in range(100)] == [Part(1, pending=True)] * 100
    assert sum(thread.name == "reader" for thread in threading.enumerate()) == 1
    answers.set()
    assert ask(lambda: "a", LONG) == Part(1)
    assert ask(lambda: "b", LONG) == Part(2)


def test_a_store_that_is_away_is_told_with_what_was_known_and_asked_again():
    reader = Reader()
    ask(reader, "a", lambda: "old")

    def away():
        raise LakeError("no disk")

    assert ask(reader, "b", away) == Part("old", "no disk")
    assert ask(reader, "b", lambda: "new") == Part("new")


def test_a_fault_of_the_code_is_told_and_printed_and_blocks_no_other(caplog):
    reader = Reader()

    def faulty():
        raise TypeError

    assert ask(reader, "a", faulty).problem.startswith("A fault of Evergreen itself, TypeError")
    assert "raise TypeError" in caplog.text
    assert ask(reader, "a", lambda: "read") == Part("read")


def test_all_questions_of_a_page_are_asked_at_once():
    reader, together = Reader(), threading.Barrier(3, timeout=LONG)
    questions = {str(number): Question(number, "a", together.wait) for number in range(3)}
    assert sorted(part.value for part in reader.parts(questions, LONG).values()) == [0, 1, 2]
