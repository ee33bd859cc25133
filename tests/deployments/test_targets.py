"""The files of deployments/: each is valid for the tool that reads it, and every command in it is one that there is."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import kubernetes_validate
import pytest
import yaml

from evergreen import provenance
from evergreen.project import CODE
from evergreen.scaffold.team_repository import Record, _rendered
from tests.installed_packages import needed
from ui.access.rules import KEYS_FILE

FOLDER = CODE / "deployments"
BIN = Path(sys.executable).parent
CONTAINERFILE = FOLDER / "Containerfile"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
ENVIRONMENTS = ["dev", "staging", "production"]
KUBERNETES = sorted((FOLDER / "kubernetes").rglob("*.yaml"))
SECRET = re.compile(r"(PASSWORD|AUTH|KEYS|SECRET|TOKEN|CONNECTION_URL|STORE_URI)")


def run(*words, **options):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, **options)


def documents():
    """Every manifest of Kubernetes, as it stands in its file."""
    return [document for path in KUBERNETES for document in yaml.safe_load_all(path.read_text())]


def containers():
    """Every container of a pod."""
    pods = [document["spec"]["template"]["spec"] for document in documents() if "template" in document.get("spec", {})]
    return [found for pod in pods for key in ("initContainers", "containers") for found in pod.get(key, [])]


def in_image():
    """The commands of the image itself."""
    text = CONTAINERFILE.read_text()
    return [json.loads(words) for words in re.findall(r"CMD (\[.*\])$", text, re.MULTILINE)]


def in_compose():
    services = [service for name, service in COMPOSE["services"].items() if name != "postgres"]
    checks = [service["healthcheck"]["test"][1:] for service in services if "test" in service.get("healthcheck", {})]
    return [service["command"] for service in services] + checks


def in_units():
    lines = [line for path in UNITS for line in path.read_text().splitlines() if line.startswith("ExecStart")]
    return [shlex.split(line.partition("=")[2]) for line in lines]


def commands():
    """Every command of the files, once each, by its words."""
    found = [*in_image(), *in_compose(), *in_units(), *(container["command"] for container in containers())]
    return sorted({(Path(words[0]).name, *words[1:]) for words in found})


@cache
def helped(*words):
    """What a command says of itself."""
    done = run(BIN / words[0], *words[1:], "--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("words", [words for words in commands() if words[0] == "python"], ids=" ".join)
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_a_health_check_says_what_the_answer_is(words, status, code):
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            """Keep it off the terminal."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.handle_request, daemon=True).start()
        here = [re.sub(r":\d+/", f":{server.server_port}/", word) for word in words[1:]]
        assert run(sys.executable, *here).returncode == code


def is_slow(words):
    return pytest.param(words, marks=[] if words[0] == "evergreen" else pytest.mark.slow, id=" ".join(words))


@pytest.mark.parametrize("words", [is_slow(words) for words in commands() if words[0] != "python"])
def test_every_command_and_each_of_its_options_is_there(words):
    name = [word for word in words if not word.startswith("-")][: 3 if words[0] == "prefect" else 2]
    known = helped(*name)
    assert all(re.search(rf"{option}\b", known) for option in words if option.startswith("--")), known


def test_hadolint_has_nothing_to_say():
    done = run(BIN / "hadolint", CONTAINERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_takes_what_there_is_and_its_context_has_no_more():
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", CONTAINERFILE.read_text(), re.MULTILINE)
    named = [
        word.replace("${LOCK}", "deployments/requirements.lock").rstrip("/") for line in copied for word in line.split()
    ]
    assert all((CODE / name).exists() for name in named if name != "dist")
    ignored = Path(f"{CONTAINERFILE}.dockerignore").read_text().splitlines()
    assert {line[1:].removesuffix("/*.whl") for line in ignored if line.startswith("!")} == set(named)


def test_the_image_has_what_evergreen_needs_in_the_versions_that_are_tested():
    ours, tested = pinned(FOLDER / "requirements.lock"), pinned(CODE / "requirements.lock")
    assert ours.items() <= tested.items()
    assert needed("evergreen", frozenset({"postgres", "demo"})) - {"evergreen"} <= set(ours)
    assert "pytest" not in ours


def pinned(lock):
    """Each package of a lock: its version and hashes."""
    blocks = re.findall(r"^([\w.-]+)==([^ \\]+).*?((?: \\\n\s+--hash=\S+)+)", lock.read_text(), re.MULTILINE)
    return {name: (version, frozenset(re.findall(r"--hash=(\S+)", hashes))) for name, version, hashes in blocks}


def test_compose_is_valid():
    done = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml")
    assert done.returncode == 0, done.stdout


def test_what_compose_names_is_there():
    assert {name for service in COMPOSE["services"].values() for name in service.get("depends_on", {})} <= set(
        COMPOSE["services"]
    )
    volumes = [
        volume.partition(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])
    ]
    assert set(volumes) == set(COMPOSE["volumes"])
    used = [name for service in COMPOSE["services"].values() for name in service.get("secrets", [])]
    assert set(used) == set(COMPOSE["secrets"])


def test_the_ui_asks_who_comes_wherever_it_runs():
    """It does not start without the file of keys that is named, and compose gives its port to this machine alone."""
    (container,) = [found for found in containers() if found["name"] == "ui"]
    folder = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "keys")
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {KEYS_FILE: f"{folder}/ui.keys"}
    service = COMPOSE["services"]["ui"]
    assert service["environment"][KEYS_FILE] == f"/run/secrets/{service['secrets'][0]}"
    assert all(port.startswith("127.0.0.1:") for each in COMPOSE["services"].values() for port in each.get("ports", []))
    assert f"\nEnvironment={KEYS_FILE}=" in (FOLDER / "systemd" / "evergreen-ui.service").read_text()


@cache
def built(environment):
    """The manifests of an environment, as kustomize builds them."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl, which holds kustomize, is not here")
    done = run("kubectl", "kustomize", FOLDER / "kubernetes" / environment)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def kind(environment, *kinds):
    """The manifests of some kinds, by their names."""
    return {each["metadata"]["name"]: each for each in built(environment) if each["kind"] in kinds}


def pods(environment):
    """The templates of all pods, by the name of their workload."""
    return {name: each["spec"]["template"] for name, each in kind(environment, "Deployment", "StatefulSet").items()}


every_environment = pytest.mark.parametrize("environment", ENVIRONMENTS)


@every_environment
def test_the_manifests_of_an_environment_are_valid(environment):
    for document in built(environment):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    assert {each["metadata"].get("namespace") for each in built(environment) if each["kind"] != "Namespace"} == {
        f"evergreen-{environment}"
    }
    (settings,) = kind(environment, "ConfigMap").values()
    assert settings["data"]["EVERGREEN_LAKE"].startswith("s3://")
    shared = (FOLDER / "kubernetes" / "base" / "settings.env").read_text().split()
    assert {tuple(line.split("=")) for line in shared} < settings["data"].items()
    for pod in pods(environment).values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            assert container["image"].startswith("registry.example.org/")
            assert {"configMapRef": {"name": settings["metadata"]["name"]}} in container["envFrom"]


@every_environment
def test_every_container_has_its_share_and_every_pod_its_probes(environment):
    """Each probe asks a port that the container names; one that runs once has none."""
    assert {*pods(environment)} == {"worker", "predictions", "ui"}
    for pod in pods(environment).values():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            resources = container["resources"]
            assert {*resources["requests"]} == {"cpu", "memory"}
            assert {*resources["limits"]} == {"memory"}, "a limit of the CPU stalls what runs beside idle cores"
        for container in pod["spec"]["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container[probe].get("httpGet") or container[probe]["tcpSocket"]
                assert asked["port"] in ports
                assert asked.get("path", "/health") == "/health"
            begins = container["startupProbe"]
            assert begins["failureThreshold"] * begins["periodSeconds"] >= 120


@every_environment
def test_an_outage_of_prefect_does_not_end_the_trainings_that_run(environment):
    (worker,) = pods(environment)["worker"]["spec"]["containers"]
    alive = worker["livenessProbe"]
    assert alive["failureThreshold"] * alive["periodSeconds"] >= 600


@every_environment
def test_one_replica_of_the_service_at_a_time_may_be_evicted(environment):
    (budget,) = kind(environment, "PodDisruptionBudget").values()
    assert budget["spec"]["maxUnavailable"] == 1
    chosen = budget["spec"]["selector"]["matchLabels"].items()
    matched = [name for name, pod in pods(environment).items() if chosen <= pod["metadata"]["labels"].items()]
    assert matched == ["predictions"]
    assert kind("production", "StatefulSet")["predictions"]["spec"]["replicas"] > 1


ADMITTED = {
    "worker": [],
    "predictions": [("http", {}), ("http", {"evergreen/callers": "true"})],
    "ui": [("http", {"evergreen/visitors": "true"})],
}


@every_environment
@pytest.mark.parametrize(("name", "admitted"), ADMITTED.items())
def test_only_callers_and_visitors_reach_a_pod(environment, name, admitted):
    """By the labels of their namespace; none are those of the pod's own."""
    pod = pods(environment)[name]
    over = [policy["spec"] for policy in kind(environment, "NetworkPolicy").values() if governs(policy, pod)]
    assert all(policy["policyTypes"] == ["Ingress"] for policy in over)
    assert any("ingress" not in policy for policy in over), "the policy that lets nothing in"
    rules = [rule for policy in over for rule in policy.get("ingress", [])]
    found = [
        (port["port"], peer.get("namespaceSelector", {}).get("matchLabels", {}))
        for rule in rules
        for port in rule["ports"]
        for peer in rule["from"]
    ]
    assert found == admitted
    ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    assert {port for port, _ in found} <= ports


def governs(policy, pod):
    """Whether a policy is one for a pod."""
    return policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


@every_environment
def test_a_service_leads_to_one_kind_of_pod(environment):
    for service in kind(environment, "Service").values():
        chosen = service["spec"]["selector"].items()
        matched = [pod for pod in pods(environment).values() if chosen <= pod["metadata"]["labels"].items()]
        assert len(matched) == 1
        ports = {port["name"] for container in matched[0]["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_every_target_names_its_environment():
    for name in ENVIRONMENTS:
        assert (CODE / "environments" / f"{name}.env").is_file()
        assert f"EVERGREEN_ENV={name}\n" in (FOLDER / "kubernetes" / name / "settings.env").read_text()
    ours = [service for service in COMPOSE["services"].values() if is_ours(service)]
    assert len(ours) > 2
    assert all(service["environment"]["EVERGREEN_ENV"].startswith("${EVERGREEN_ENV:?") for service in ours)
    server = (FOLDER / "server.env").read_text()
    for unit in UNITS:
        text = unit.read_text()
        assert "EVERGREEN_ENV=" in (server if "EnvironmentFile=/etc/evergreen/server.env" in text else text), unit


def is_ours(service):
    """Whether a service of compose runs Evergreen's code."""
    return service.get("command", [])[:1] == ["evergreen"] or "worker" in service.get("command", [])


def test_the_clones_own_environments_are_those_that_init_writes():
    written = _rendered(Record(provenance.release(), "", "evergreen"))
    for name in ENVIRONMENTS:
        assert (CODE / "environments" / f"{name}.env").read_text() == written[f"environments/{name}.env"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_no_fault_in_a_unit(tmp_path, unit):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not here")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/srv/churn-models/.venv/bin", str(BIN)))
    done = run("systemd-analyze", "verify", "--man=no", copy)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_holds_a_secret():
    values = [
        (name, value) for service in COMPOSE["services"].values() for name, value in service["environment"].items()
    ]
    lines = [line for path in FOLDER.rglob("*.env") for line in path.read_text().splitlines() if "=" in line]
    values += [tuple(line.split("=", 1)) for line in lines if not line.startswith("#")]
    values += [(entry["name"], entry.get("value", "")) for found in containers() for entry in found.get("env", [])]
    secrets = [(name, value) for name, value in values if SECRET.search(name) and not name.endswith("_FILE")]
    assert len(secrets) > 5
    assert all("${" in value for _, value in secrets), secrets
    assert "Secret" not in {document["kind"] for document in documents()}
