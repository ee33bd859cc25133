"""Write the overview page of a model, after the decision on an observation."""

from base64 import b64encode
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.reports import model_page
from evergreen.reports.model_page import ModelPage
from evergreen.stores import Stores
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def report(stores: Stores, name: str) -> ModelPage:
    """Replace the page in the home's reports, show its plot in Prefect's UI, and return its path."""
    written = model_page.write(stores, loader.load(name))
    if written.picture:
        picture = f"data:image/png;base64,{b64encode(Path(written.picture).read_bytes()).decode()}"
        text = f"{written.sentence}\n\n![performance over time]({picture})\n\nThe page: `{written.path}`"
        create_markdown_artifact(text, key=f"watched-{name.replace('_', '-')}")
    return written
