"""The bill of materials of a release: valid as CycloneDX, complete, the same for the same commit."""

import json
from importlib import metadata

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from evergreen import releases
from evergreen.errors import RunningError
from evergreen.governance.bill_of_materials import of_release
from evergreen.pip_lock import entries
from evergreen.project import CODE
from evergreen.scaffold.team_repository import init
from tests.repository import Repository

PYPROJECT = """
[project]
name = "churn-models"
version = "3"
dependencies = ["Web_Tools>=1"]

[dependency-groups]
dev = ["tester"]

[tool.evergreen]
"""
DIGESTS = [letter * 64 for letter in "abcde"]
LOCK = f"""# written by uv
tester==2.0 \\
    --hash=sha256:{DIGESTS[0]}
    # via churn-models (pyproject.toml:dev)
wires==0.1+local ; python_full_version < '3.12' \\
    --hash=sha256:{DIGESTS[1]} \\
    --hash=sha256:{DIGESTS[2]}
    # via web-tools
wires==0.2 ; python_full_version >= '3.12' \\
    --hash=sha256:{DIGESTS[3]}
    # via
    #   tester
    #   web-tools
web-tools==1.5 \\
    --hash=sha256:{DIGESTS[4]}
    # via churn-models (pyproject.toml)
"""


@pytest.fixture
def team(tmp_path):
    """A repository with a lock, committed."""
    repository = Repository(tmp_path / "team")
    (repository.folder / "pyproject.toml").write_text(PYPROJECT)
    (repository.folder / "requirements.lock").write_text(LOCK)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit()
    return repository


def require_valid(document):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    assert error is None, str(error)[:500]
    references = [component["bom-ref"] for component in document["components"]]
    references.append(document["metadata"]["component"]["bom-ref"])
    assert len(set(references)) == len(references)
    named = {name for each in document["dependencies"] for name in (each["ref"], *each["dependsOn"])}
    assert named == set(references)


def test_it_holds_every_package_with_its_hashes_and_who_needs_it(team):
    document = of_release(team.folder)
    require_valid(document)
    commit = team.git("rev-parse", "HEAD")
    root = document["metadata"]["component"]
    assert (root["name"], root["version"]) == ("churn-models", f"3+{commit[:10]}")
    assert root["properties"] == [{"name": "evergreen:commit", "value": commit}]
    components = {each["bom-ref"]: each for each in document["components"]}
    local = components["wires==0.1+local"]
    assert local["purl"] == "pkg:pypi/wires@0.1%2Blocal"
    assert local["hashes"] == [{"alg": "SHA-256", "content": digest} for digest in DIGESTS[1:3]]
    assert local["properties"] == [{"name": "evergreen:marker", "value": 'python_full_version < "3.12"'}]
    assert {key: each["scope"] for key, each in components.items()} == {
        "tester==2.0": "optional",
        "wires==0.1+local": "required",
        "wires==0.2": "required",
        "web-tools==1.5": "required",
    }
    assert {each["ref"]: each["dependsOn"] for each in document["dependencies"]} == {
        "churn-models": ["tester==2.0", "web-tools==1.5"],
        "tester==2.0": ["wires==0.2"],
        "web-tools==1.5": ["wires==0.1+local", "wires==0.2"],
        "wires==0.1+local": [],
        "wires==0.2": [],
    }


def test_it_is_that_of_the_commit_and_not_of_the_folder(team):
    first, commit = of_release(team.folder), team.git("rev-parse", "HEAD")
    (team.folder / "requirements.lock").write_text(LOCK.replace("web-tools==1.5", "web-tools==1.6"))
    assert of_release(team.folder) == first
    team.commit()
    assert of_release(team.folder, commit) == first
    assert "web-tools==1.6" in [each["bom-ref"] for each in of_release(team.folder)["components"]]


@pytest.mark.long
@pytest.mark.skipif(not (CODE / ".git").exists(), reason="this code is in no git repository")
def test_evergreens_own_names_what_it_needs_and_licences():
    document = of_release(CODE)
    require_valid(document)
    listed = entries((CODE / "requirements.lock").read_text())
    assert len(document["components"]) == len(listed) > 200
    assert all(each["hashes"] for each in document["components"])
    scopes = {each["name"]: each["scope"] for each in document["components"]}
    assert (scopes["mlflow"], scopes["pytest"]) == ("required", "optional")
    here = [each for each in document["components"] if installed(each["name"]) == each["version"]]
    assert sum("licenses" in each for each in here) > 0.95 * len(here)
    assert {each["licenses"][0].get("expression") for each in here if each["name"] == "pandas"} == {"BSD-3-Clause"}


def installed(name):
    return next((found.version for found in metadata.distributions(name=name)), None)


def test_a_team_has_one_that_names_evergreen_though_its_lock_may_not(tmp_path):
    repository = Repository(tmp_path / "churn")
    init(repository.folder)
    repository.git("init", "--quiet")
    repository.commit()
    document = of_release(repository.folder)
    require_valid(document)
    components = {each["name"]: each for each in document["components"]}
    assert components["evergreen"]["version"] == metadata.version("evergreen")
    assert (components["mlflow"]["scope"], components["pytest"]["scope"]) == ("required", "optional")
    assert "sbom: setup" in (repository.folder / "Makefile").read_text()


def test_the_command_lists_the_release_in_force(team, tmp_path):
    before, home = team.git("rev-parse", "HEAD"), team.folder / ".evergreen"
    home.mkdir()
    releases.put_in_force(home, releases.unpacked(home, team.folder))
    (team.folder / ".gitignore").write_text(".evergreen\n")
    after = team.commit()
    printed = json.loads(team.evergreen("sbom", "--json").stdout)
    assert printed["metadata"]["component"]["version"] == f"3+{before[:10]}"
    said = team.evergreen("sbom", "--release", "main", "--output", str(tmp_path / "new" / "sbom.json")).stdout
    assert "4 packages of churn-models" in said
    assert "3 to run it" in said
    written = json.loads((tmp_path / "new" / "sbom.json").read_text())
    assert written["metadata"]["component"]["version"] == f"3+{after[:10]}"
    require_valid(written)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "has no commit 'nowhere'"),
        (["--all"], "has no commit '--all'"),
        (["HEAD", "uv.lock"], "has no uv.lock, which says what a release is made of"),
    ],
)
def test_what_cannot_be_listed_is_told(team, words, says):
    with pytest.raises(RunningError, match=says):
        of_release(team.folder, *words)
