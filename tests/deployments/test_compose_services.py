"""The services of compose.yaml, as processes of this machine: their commands and environment, with a real Postgres."""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from evergreen.lake import release_log
from evergreen.project import CODE
from tests.conftest import TOY
from tests.running_postgres import execute, running
from tests.running_service import ask
from tests.running_system import NOW, free_port, until

COMPOSE = yaml.safe_load((CODE / "deployments" / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DEPLOYED = [("prefect", 4200), ("mlflow", 5000), ("service", 8100), ("worker", 8080), ("ui", 8200), ("postgres", 5432)]
COMMIT = 20 * "a1"
ONE = {"dataframe_records": [{"id": "a", "x": 1.0, "z": 0.0}]}


class Machine:
    """Where containers would be: a folder, a port for each, and the secrets."""

    def __init__(self, folder):
        self.folder, self.password, self.auth = folder, secrets.token_hex(8), f"admin:{secrets.token_hex(8)}"
        self.ports = {port: free_port() for _, port in DEPLOYED}
        self.keys = ""
        self.project = folder / "project"
        (self.project / "models").mkdir(parents=True)
        (self.project / "models" / "toy.py").write_text(TOY.read_text() + NOW)
        shutil.copy(CODE / "prefect.yaml", self.project)
        (self.project / "pyproject.toml").write_text("[tool.evergreen]\n")
        (self.project / "environments").mkdir()
        (self.project / "environments" / "staging.env").touch()
        (self.project / "release.json").write_text(json.dumps({"commit": COMMIT, "repository": "."}))

    def here(self, text):
        """A text of the file, with this machine's names, ports, folders and secrets."""
        given = {"DATABASE_PASSWORD": self.password, "PREFECT_AUTH": self.auth, "EVERGREEN_KEYS": self.keys}
        given |= {"EVERGREEN_ENV": "staging"}
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: given[found[1]], text)
        text = re.sub(r"\b(postgres|prefect|mlflow):(\d{4})\b", r"127.0.0.1:\2", text)
        text = re.sub(r"\b(4200|5000|8100|8080|8200|5432)\b", lambda found: str(self.ports[int(found[0])]), text)
        text = text.replace("/run/secrets/", f"{self.folder}/secrets/").replace("/tmp/", f"{self.folder}/tmp/")
        return text.replace("/var/lib/evergreen", str(self.folder / "home"))

    def environment(self, name):
        clean = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder / "home")}
        image = {
            "EVERGREEN_PROJECT": str(self.project),
            "EVERGREEN_HOME": str(self.folder / "home"),
            "PYTHONPATH": str(CODE),
            "PREFECT_WORKER_WEBSERVER_PORT": str(self.ports[8080]),  # as it is, and no other worker's
        }
        return clean | image | {key: self.here(value) for key, value in SERVICES[name].get("environment", {}).items()}

    def command(self, name):
        words = [self.here(word) for word in SERVICES[name]["command"]]
        port = {"service": 8100, "ui": 8200}.get(name)
        return [*words, "--port", str(self.ports[port])] if port else words

    @contextmanager
    def running(self, name):
        """A service, until the block ends."""
        with (self.folder / f"{name}.log").open("w") as log:
            environment, command = self.environment(name), self.command(name)
            process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)

    def healthy(self, name):
        """Whether the health check of a service passes."""
        check = [self.here(word) for word in SERVICES[name]["healthcheck"]["test"][1:]]
        return subprocess.run([sys.executable, *check[1:]], capture_output=True).returncode == 0

    def key(self, *words):
        """A line for a file of keys, and the key."""
        command = [sys.executable, "-m", "cli", "key", *words]
        made = subprocess.run(command, env=self.environment("deploy"), capture_output=True, text=True, check=True)
        return made.stdout.strip(), made.stderr.split("caller: ")[1].split()[0]

    def prefect(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[4200]}/api/{path}", json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        request.add_header("authorization", f"Basic {base64.b64encode(self.auth.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


@contextmanager
def database(machine):
    """A Postgres as the file asks for it: its user, password and databases."""
    given = {name: machine.here(value) for name, value in SERVICES["postgres"]["environment"].items()}
    port = machine.ports[5432]
    with running(given["POSTGRES_USER"], password=given["POSTGRES_PASSWORD"], port=port) as url:
        execute(url, f"CREATE DATABASE {given['POSTGRES_DB']}", COMPOSE["configs"]["databases"]["content"])
        yield


def check_ui(machine):
    """The pages answer whom a key names, and nobody else; without the file of keys they do not start."""
    with machine.running("ui") as refused:
        assert refused.wait(timeout=120) == 1
    line, key = machine.key("--person", "Ann Lee")
    keys = machine.folder / "secrets" / "ui.keys"
    keys.parent.mkdir()
    keys.write_text(line)
    with machine.running("ui"):
        until(lambda: machine.healthy("ui"), "the UI")
        url = f"http://127.0.0.1:{machine.ports[8200]}/api/models"
        assert ask(url)[0] == 401
        assert ask(url, key=key)[0] == 200


@pytest.mark.slow
def test_a_training_asked_of_prefect_is_run_by_the_worker_recorded_in_mlflow_and_answered_by_the_service(tmp_path):
    machine = Machine(tmp_path)
    with database(machine), ExitStack() as services:
        for name in ("prefect", "mlflow"):
            services.enter_context(machine.running(name))
        for name in ("prefect", "mlflow"):
            until(lambda name=name: machine.healthy(name), name)
        with machine.running("deploy") as deploying:
            assert deploying.wait(timeout=300) == 0, (tmp_path / "deploy.log").read_text()
        assert [entry.commit for entry in release_log.read(str(tmp_path / "home" / "lake"))] == [COMMIT]
        services.enter_context(machine.running("worker"))
        machine.keys, key = machine.key()
        services.enter_context(machine.running("service"))
        until(lambda: machine.healthy("worker"), "the worker")
        check_ui(machine)

        deployments = machine.prefect("deployments/filter", {})
        (refresh,) = [deployment["id"] for deployment in deployments if deployment["name"] == "refresh"]
        started = machine.prefect(f"deployments/{refresh}/create_flow_run", {"parameters": {"model": "toy"}})
        ended = {"flow_runs": {"id": {"any_": [started["id"]]}}}
        until(lambda: machine.prefect("flow_runs/filter", ended)[0]["state_type"] == "COMPLETED", "the training")

        url = f"http://127.0.0.1:{machine.ports[8100]}"
        until(lambda: ask(f"{url}/health")[0] == 200, "the champion")
        assert ask(f"{url}/models/toy/invocations", ONE)[0] == 401
        status, answer = ask(f"{url}/models/toy/invocations", ONE, key)
        assert (status, answer["model"]) == (200, "toy")
