"""The tutorial is true: its commands, run in their order, print what the page says."""

import os
import re

import pytest

from docs.run_tutorial import CHECKOUT, PAGE, blocks, masked, run
from tests.docs.pages import coded, page, section
from tests.running_system import environment, free_port


def test_the_tutorial_has_its_commands():
    assert sum(len(block.commands()) for block in blocks(PAGE.read_text())) > 20


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """The folder of the tutorial, and of each command what the page says and what it printed."""
    folder, port = tmp_path_factory.mktemp("first-hour"), free_port()
    given = environment(folder / "first-hour" / "home")
    path = os.pathsep.join([str(CHECKOUT / ".venv" / "bin"), given["PATH"]])
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(given):
            patch.delenv(name)
        patch.setenv("PATH", path)
        patch.setenv("PYTHONPATH", str(CHECKOUT))
        ran = [pair for _, pairs in run(PAGE.read_text(), folder, port) for pair in pairs]
    return folder / "first-hour" / "home", ran


@pytest.mark.slow
def test_every_command_prints_what_the_page_says(lived):
    _, ran = lived
    assert ran
    wrong = [
        f"$ {command.line}\n--- the page\n{command.printed}\n--- now\n{printed}"
        for command, printed in ran
        if masked(command.printed) != masked(printed)
    ]
    assert not wrong, "\n\n".join([*wrong, "`python -m docs.run_tutorial` writes the page anew"])


@pytest.mark.slow
def test_every_table_and_column_that_it_made_is_in_the_reference(lived):
    from deltalake import DeltaTable

    text = page("docs/reference/tables.md")
    tables = [path.parent for path in (lived[0] / "lake" / "minutes").glob("*/_delta_log")]
    assert len(tables) >= 6
    own = {"flight_id", "departs", "carrier", "origin", "dest", "minute_of_day", "weekday", "distance", "air_time"}
    own |= {"hour", "departs_weekday"}
    for table in tables:
        listed = coded(section(text, table.name))
        columns = {field.name for field in DeltaTable(str(table)).schema().fields}
        assert columns - own <= listed, table.name


@pytest.mark.slow
def test_every_tag_that_it_made_is_in_the_reference(lived):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{lived[0]}/mlflow.db")
    listed = {name for name in coded(page("docs/reference/mlflow.md")) if re.fullmatch(r"evergreen\.\w+", name)}
    versions = client.search_model_versions("name = 'minutes'")
    assert len(versions) == 4
    tags = {name for version in versions for name in version.tags}
    tags |= {name for version in versions for name in client.get_run(version.run_id).data.tags}
    assert {name for name in tags if name.startswith("evergreen.")} <= listed
