"""Children end when their parent was killed, whenever that was, and also what they have started themselves."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from evergreen import lifeline
from evergreen.project import CODE
from tests.running_system import until

# A parent that starts children in sessions of their own, and says their ids.
PARENT = """
import os, subprocess, sys, time
from evergreen import lifeline
for module in {modules}:
    words, environment = lifeline.command(module), lifeline.environment()
    print(subprocess.Popen(words, env=environment, start_new_session=True).pid, flush=True)
time.sleep({seconds})
"""
# A child that does not end when asked to, and starts a process in its turn.
STUBBORN = """
import signal, subprocess, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
Path(__file__).with_name("grandchild").write_text(str(grandchild.pid))
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a parent that lives for some seconds; its process, and its child's id."""
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "other.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(CODE)]))
    monkeypatch.setenv("MARK", str(tmp_path))

    def started(seconds, *modules):
        command = [sys.executable, "-c", PARENT.format(seconds=seconds, modules=["stubborn", *modules])]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return parent, *(int(parent.stdout.readline()) for _ in ["stubborn", *modules])

    yield started
    lifeline.end_orphans("MARK", str(tmp_path))


def told(folder):
    """The id of the grandchild, once it is written."""
    path = folder / "grandchild"
    return int(path.read_text() or 0) if path.is_file() else 0


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_of_a_killed_parent_ends_with_its_own_children_though_it_refuses_to(start, tmp_path):
    parent, child = start(600)
    grandchild = until(lambda: told(tmp_path), "the grandchild")
    parent.kill()
    parent.wait()
    assert runs(child)
    until(lambda: not runs(child) and not runs(grandchild), "the end", 5)


def test_what_a_killed_child_has_started_ends_with_its_siblings(start, tmp_path):
    parent, child, sibling = start(600, "other")
    grandchild = until(lambda: told(tmp_path), "the grandchild")
    for pid in (child, parent.pid):
        os.kill(pid, signal.SIGKILL)
    parent.wait()
    until(lambda: not runs(sibling) and not runs(grandchild), "the end", 5)


def test_a_child_whose_parent_ends_before_it_has_read_a_line_ends(start, tmp_path):
    parent, child = start(0)
    parent.wait()
    until(lambda: not runs(child), "the end", 5)


def test_only_children_whose_parent_is_gone_are_ended_at_once(start, tmp_path):
    parent, child = start(600)
    grandchild = until(lambda: told(tmp_path), "the grandchild")
    lifeline.end_orphans("MARK", str(tmp_path))
    assert runs(child)
    os.kill(child, signal.SIGSTOP)  # so that it does not notice by itself
    parent.kill()
    parent.wait()
    lifeline.end_orphans("MARK", "another")
    assert runs(child)
    lifeline.end_orphans("MARK", str(tmp_path))
    until(lambda: not runs(child), "the end", 1)
    os.kill(grandchild, signal.SIGKILL)


def test_a_module_runs_as_by_itself(tmp_path, monkeypatch):
    (tmp_path / "shown.py").write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(CODE)]))
    done = subprocess.run(lifeline.command("shown", "a", "--b"), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "__main__ ['a', '--b']\n", "")


# A parent whose children know nothing of lifelines: they were started by another Python, or by joblib.
GUARDED = '''
import subprocess, sys, time
from evergreen import lifeline
CHILD = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""
with lifeline.guarded():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True, start_new_session=True)
    print(child.pid, child.stdout.readline(), flush=True)
time.sleep(600)
'''
WORKERS = """
import os, time
from joblib import Parallel, delayed
from evergreen import lifeline

def work(_):
    print(os.getpid(), flush=True)
    time.sleep(600)

with lifeline.guarded():
    Parallel(n_jobs=2)(delayed(work)(place) for place in range(2))
"""


@pytest.mark.parametrize("code", [GUARDED, pytest.param(WORKERS, marks=pytest.mark.long)], ids=["children", "joblib"])
def test_whoever_starts_them_guarded_processes_end_with_a_killed_parent(tmp_path, code):
    script, output = tmp_path / "parent.py", tmp_path / "output"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(CODE)}
    with output.open("w") as told:
        parent = subprocess.Popen([sys.executable, str(script)], stdout=told, env=environment)
    until(lambda: len(output.read_text().split()) == 2, "both", 60)
    pids = [int(word) for word in output.read_text().split()]
    parent.kill()
    parent.wait()
    assert all(map(runs, pids))
    until(lambda: not any(map(runs, pids)), "the end", 5)


READ = "import sys\nfrom evergreen import lifeline\nwith lifeline.guarded(): sys.stdin.read()\nprint('done')"


def test_a_guardian_holds_no_stream_of_a_guarded_command():
    """Who reads what the command writes would wait for the guardian, which outlives it."""
    environment = os.environ | {"PYTHONPATH": str(CODE)}
    words = [sys.executable, "-c", READ]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as parent:
        guardian = until(lambda: guardian_of(parent.pid), "the guardian", 60)
        streams = [str(Path(f"/proc/{guardian}/fd/{number}").readlink()) for number in range(3)]
        assert parent.communicate(timeout=60)[0] == b"done\n"
    assert streams == ["/dev/null"] * 3


def guardian_of(parent):
    """The id of the guardian of a process; None before there is one."""
    end = ["evergreen.lifeline", str(parent), "evergreen.guardian"]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().decode().split("\0")[-4:-1] == end:
                return int(path.parent.name)
    return None
