"""`evergreen deploy`: every deployment, schedule and trigger, to the Prefect server of the settings."""

from dataclasses import asdict

from cli.printing import Json, say


def deploy(json: Json = False) -> None:
    """Register every deployment of prefect.yaml with the server of PREFECT_API_URL; again changes nothing.

    It does what `prefect deploy --all` does, creates the work pool if there is none, and leaves out
    schedules of models that are not here. Exit code: 1 no server, or it refused.
    """
    from flows.runtime.deployments import register, server

    address = server()
    found = register()
    shown = [f"Registered with {address}: {', '.join(found.names)}.", *found.notes]
    say(json, asdict(found) | {"server": address}, "\n".join(shown))
