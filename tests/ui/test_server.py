"""`evergreen ui` as a process: it answers on this machine, and Ctrl-C ends it."""

import signal
import subprocess
import sys
import urllib.request

import pytest

from evergreen.exit_codes import Exit
from tests.running_system import CHECKOUT, environment, free_port, started, until
from tests.ui.running_ui import Pages


def test_it_answers_before_what_reads_is_imported(home):
    """Which takes longer than all the rest of a start."""
    code = """
import sys
from ui.application import application
from ui.site import Site
app = application(Site())
heavy = {"pandas", "numpy", "pyarrow", "deltalake", "duckdb", "mlflow", "prefect", "sklearn", "matplotlib"}
sys.exit(", ".join(heavy & set(sys.modules)) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, env=environment(home), check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/models", [200, 405]),
        ("/models/", [307, 307]),
        ("/models/nobody", [404, 405]),
        ("/nothing", [404, 404]),
        ("/api", [200, 405]),
        ("/api/models", [200, 405]),
        ("/api/no", [404, 404]),
    ],
)
def test_pages_that_are_made_later_answer_as_the_others(path, statuses):
    pages = Pages()
    assert [pages(path, method).status_code for method in ("GET", "POST")] == statuses


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT])
def test_it_answers_until_it_is_stopped(home, number):
    port, said = free_port(), home.parent / "ui.log"
    process = started(environment(home), said, "ui", "--port", str(port))
    try:
        until(lambda: "answers at" in said.read_text() or process.poll() is not None, "the UI")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert b"Action required" in answer.read()
        process.send_signal(number)
        assert process.wait(timeout=60) == Exit.STOPPED
    finally:
        process.kill()
