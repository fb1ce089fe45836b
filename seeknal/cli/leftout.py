"""What ``seeknal run`` says of units that it leaves out, with the command that runs them."""

from __future__ import annotations

from seeknal.cli import text
from seeknal.cli.asked import Asked
from seeknal.cli.task import Task
from seeknal.plan import Exclusion, Plan, count_planned
from seeknal.workflow.instants import format_instant
from seeknal.workflow.units import PlannedRange, PlannedValue


def say_left_out(task: Task, plan: Plan, asked: Asked) -> None:
    """Say what a plan leaves out, and how to run it all the same."""
    latest = task.data.extent and format_instant(int(task.data.extent[1]), task.zone)
    beyond = plan.left_out(Exclusion.NO_DATA)
    ranges = [one for one in beyond if isinstance(one, PlannedRange)]
    values = [one.value for one in beyond if isinstance(one, PlannedValue)]
    if ranges:
        why = f"the data ends at {latest}" if latest else "the input has no rows"
        text.say(
            f"Not run: {text.plural(count_planned(ranges), 'interval')} "
            f"({text.planned_span(ranges, task.zone)}), because {why}; --include-empty runs them."
        )
    if plan.cut and latest:
        text.say(
            f"Note: the data ends at {latest}, within the last interval; if more of it is "
            "still to come, set data_lag in the flow, or restate the interval later."
        )
    if values:
        text.say(
            f"Not run: {text.plural(len(values), 'partition')} not in the data "
            f"({text.listed(values)}); --include-empty runs them."
        )
    if older := plan.left_out(Exclusion.OLDER):
        text.say(
            f"{text.plural(count_planned(older), 'older missing interval')} "
            f"({text.planned_span(older, task.zone)}); fill with: {fill(task, asked)}"
        )
    if restated := plan.left_out(Exclusion.RESTATED):
        text.say(
            f"{text.plural(count_planned(restated), f'restated {plan.noun}')} left for a backfill; "
            f"run with: {fill(task, asked)}"
        )


def fill(task: Task, asked: Asked) -> str:
    """Return the command that runs all that a flow lacks."""
    return text.command(f"seeknal run --backfill --flow {task.prepared.name}", asked.project_path)
