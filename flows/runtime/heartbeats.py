"""Heartbeats of flow runs: who sends none."""

from prefect.context import SettingsContext, get_settings_context


def no_heartbeats() -> SettingsContext:
    """Settings as they are, but flows that begin within this context send no heartbeats.

    Every flow with heartbeats ends up to a second later: it waits for the thread that sends them. Prefect's
    `temporary_settings` would do the same, but reads all settings again, which takes 70 ms.
    """
    context = get_settings_context()
    flows = context.settings.flows.model_copy(update={"heartbeat_frequency": None})
    return SettingsContext(profile=context.profile, settings=context.settings.model_copy(update={"flows": flows}))
