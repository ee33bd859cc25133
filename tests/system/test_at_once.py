"""Two people act on one model at the same moment, each with a command of their own."""

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from evergreen.exit_codes import Exit
from evergreen.governance import audit
from evergreen.lake import audit_log
from evergreen.project import CODE
from evergreen.stores import Stores
from flows.rollback import rollback
from tests.command_line import run
from tests.prepared_homes import refreshed

ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='9000d')})\n"
JANUARY, FEBRUARY, MARCH = (datetime(2013, month, day, tzinfo=UTC) for month, day in ((1, 29), (2, 26), (3, 12)))
pytestmark = pytest.mark.slow


def at_once(*commands):
    """Run commands at the same moment: each has imported everything, and waits for the other."""
    barrier = "import sys, flows.approve, flows.rollback, cli.main; print('ready', flush=True); sys.stdin.readline(); "
    code = barrier + "sys.argv = ['evergreen', *sys.argv[1:]]; cli.main.main()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *words], cwd=CODE, env=dict(os.environ), **pipes)
        for words in commands
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(len(commands)) as pool:
        said = list(pool.map(lambda process: process.communicate("go\n", timeout=240), processes))
    texts = [f"{out}\n{err}" for out, err in said]
    assert not [text for text in texts if "Traceback" in text]
    return [process.returncode for process in processes], texts


def acts(*kinds):
    return [line for line in audit_log.read(Stores.open().lake, "toy") if line.act in kinds]


def check_the_end():
    """There is one champion, the one that the last line made it, and the log is whole."""
    stores = Stores.open()
    champions = [version for version in stores.registry.versions("toy") if "champion" in version.aliases]
    assert [version.number for version in champions] == [acts("promotion", "rollback")[-1].subject]
    verified = audit.verify(stores.lake, stores.registry, "toy")
    assert (verified.problems, verified.unsealed) == ([], 0)
    assert run("doctor", "toy").returncode == 0


def approving(name):
    return ("approve", "toy", "--reason", f"{name} looked", "--by", name)


def test_two_approvals_are_one_answer_and_one_promotion(home, write_model, begun):
    write_model(ASKS)
    begun(refreshed, JANUARY)
    codes, texts = at_once(approving("Ada"), approving("Bo"))
    assert Exit.DONE in codes, texts
    assert set(codes) <= {Exit.DONE, Exit.BUSY}, texts
    answers = [line for line in acts("approval") if line.by]
    assert (len(answers), len(acts("promotion"))) == (1, 1)
    assert Stores.open().registry.champion("toy").approval_by == answers[0].by
    check_the_end()


def test_of_an_approval_and_a_refusal_one_counts(home, write_model, begun):
    write_model(ASKS)
    begun(refreshed, JANUARY)
    codes, texts = at_once(approving("Ada"), ("refuse", "toy", "--reason", "not on a Friday", "--by", "Bo"))
    assert Exit.DONE in codes, texts
    answers = [line.by for line in acts("approval") if line.by]
    assert (len(answers), len(acts("promotion"))) == (1, int(answers == ["Ada"])), texts
    assert sorted(codes)[1] in (Exit.FAILED, Exit.BUSY)


def test_a_promotion_during_a_rollback_comes_before_or_after_it(home, write_model, begun):
    write_model()
    replaced = begun(refreshed, JANUARY, FEBRUARY).champion
    rollback("toy", "a mistake", as_of=FEBRUARY)
    write_model(ASKS)
    assert refreshed(MARCH).decision == "waiting"
    begin = len(acts("promotion", "rollback"))
    rolling = ("rollback", "toy", "--to", replaced, "--reason", "it was none")
    codes, texts = at_once(approving("Bo"), rolling)
    assert Exit.DONE in codes, texts
    assert set(codes) <= {Exit.DONE, Exit.BUSY, Exit.FAILED}, texts
    moves = acts("promotion", "rollback")[begin:]
    assert 1 <= len(moves) <= 2
    assert len(moves) == codes.count(Exit.DONE)
    for earlier, later in itertools.pairwise(moves):
        assert f'"replaces": "{earlier.subject}"' in later.detail
    check_the_end()
