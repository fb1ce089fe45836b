"""Mistakes at the keyboard."""

from __future__ import annotations

from tests.acceptance.mistakes.world import RUN, Row


def typed(id_: str, command: str, *said: str) -> Row:
    """A mistake at the keyboard."""
    return Row(id_, command, said)


NOT_A_TIME = "is not a time; write 2024-01-31, 2024-01-31T05:00 or 2024-01-31T05:00:00+02:00."
NOT_AFTER = "is not after the start"
NO_FLOW = "known flows: by_region, events_flow."

TYPED = [
    typed("end before start", f"{RUN} --start-date 2024-01-05 --end-date 2024-01-04",
          "The end, 2024-01-04,", NOT_AFTER, "the end is exclusive"),
    typed("end equal start", f"{RUN} --start-date 2024-01-05 --end-date 2024-01-05",
          "The end, 2024-01-05,", NOT_AFTER),
    typed("pending: end before start",
          "intervals pending --start-date 2024-01-05 --end-date 2024-01-04", NOT_AFTER),
    typed("not a date", f"{RUN} --start-date yesterday", "'yesterday'", NOT_A_TIME),
    typed("empty date", f"{RUN} --end-date ''", "''", NOT_A_TIME),
    typed("a day that is none", f"{RUN} --start-date 2024-02-30", "'2024-02-30'", "day is out of"),
    typed("American date", f"{RUN} --start-date 01/31/2024", "'01/31/2024'", NOT_A_TIME),
    typed("before 1900", f"{RUN} --start-date 1850-01-01", "1850-01-01", "years 1900 to 2100"),
    typed("after 2100", f"{RUN} --backfill --end-date 2150-01-01", "2150-01-01", "1900 to 2100"),
    typed("unknown flow, nearly known", "run --flow event_flow",
          "no flow 'event_flow' in the project 'shop'", "did you mean 'events_flow'?"),
    typed("unknown flow", "run --flow nope", "no flow 'nope'", NO_FLOW),
    typed("empty flow", "run --flow ''", "no flow ''", NO_FLOW),
    typed("flow with a path", "flows show ../seeknal_project", "no flow '../seeknal_", NO_FLOW),
    typed("flow with a quote", 'flows show "it\'s"', "no flow \"it's\"", NO_FLOW),
    typed("unknown flow to validate", "flows validate nope", "no flow 'nope'", NO_FLOW),
    typed("unknown flow in JSON", "intervals show --json --flow nope", "no flow 'nope'", NO_FLOW),
    typed("no workers", "run --workers 0", "'--workers': '0' is no whole number from 1 to 1,000.",
          "See 'seeknal run --help'."),
    typed("negative workers", "run --workers -3", "'-3' is no whole number from 1"),
    typed("workers in words", "run --workers abc", "'abc' is no whole number from 1"),
    typed("half a worker", "run --workers 2.5", "'2.5' is no whole number from 1"),
    typed("too many workers", "run --workers 99999", "'99999' is no whole number from 1 to 1,000"),
    typed("unknown option", "run --wrkers 3", "No such option: --wrkers", "--workers",
          "See 'seeknal run --help'."),
    typed("missing value", "run --flow", "Option '--flow' requires an argument."),
    typed("superfluous word", "run events_flow", "unexpected extra argument(s) (events_flow).",
          "See 'seeknal run --help'."),
    typed("unknown command", "rum", "No such command 'rum'. Did you mean 'run'?"),
    typed("unknown command of a group", "intervals shw", "No such command 'shw'.", "'show'"),
    typed("missing argument", "flows show", "Missing argument", "See 'seeknal flows show --help'."),
    typed("no such folder", "run --project-path /nowhere/at/all",
          "There is no folder /nowhere/at/all; give a project's folder."),
    typed("a file for a folder", "run --project-path raw_events.duckdb",
          "There is no folder", "raw_events.duckdb; give a project's folder."),
    typed("no project there", "run --project-path /",
          "There is no project in / or above it", "run 'seeknal init' in its folder"),
    typed("dates and partitions", "run --flow by_region --partitions EU --start-date 2024-01-01",
          "Give dates or --partitions, not both."),
    typed("empty partitions", "run --flow by_region --partitions ,",
          "--partitions is empty; give names separated by commas."),
    typed("partitions without partitioning", f"{RUN} --partitions 2024-01-01",
          "Flow 'events_flow' has no value partitions; give dates instead."),
    typed("dates without a schedule", "run --flow by_region --start-date 2024-01-01",
          "Flow 'by_region' runs by value partition, not by date; choose with --partitions."),
    typed("unknown partition", "run --flow by_region --partitions APAC --backfill",
          "input of flow 'by_region' has no partition 'APAC'; known partitions: EU, US.",
          "--include-empty"),
    typed("unknown partition, nearly known", "run --flow by_region --partitions EU,Us --dry-run",
          "no partition 'Us'; did you mean 'US'?"),
    typed("restate without reason", "intervals restate --start 2024-01-01 --end 2024-01-02",
          "Missing option '--reason'.", "See 'seeknal intervals restate --help'."),
    typed("restate with an empty reason",
          "intervals restate --flow events_flow --start 2024-01-01 --end 2024-01-02 --reason ' '",
          "--reason is empty; say why, it is kept in the audit."),
    typed("restate one of several flows",
          "intervals restate --start 2024-01-01 --end 2024-01-02 --reason x",
          "Name one flow to restate with --flow; there are by_region, events_flow."),
    typed("restate without an end", "intervals restate --flow events_flow --start 2024-01-01 "
          "--reason x", "Say what to restate: --start and --end, or --partitions."),
    typed("restate backwards", "intervals restate --flow events_flow --start 2024-01-03 --end "
          "2024-01-02 --reason x", NOT_AFTER),
    typed("restate dates and partitions", "intervals restate --flow events_flow --start 2024-01-03 "
          "--partitions 2024-01-03 --reason x", "Give dates or --partitions, not both."),
    typed("restate partitions without any", "intervals restate --flow events_flow --partitions "
          "2024-01-03 --reason x", "has no partition format; use --start and --end."),
    typed("restate dates of values", "intervals restate --flow by_region --start 2024-01-01 --end "
          "2024-01-02 --reason x", "Flow 'by_region' runs by value; choose with --partitions."),
    typed("complete one of several flows", "intervals complete --interval 2024-01-03",
          "Name one flow to mark complete with --flow; there are by_region, events_flow."),
    typed("complete nothing", "intervals complete --flow events_flow",
          "Name what is complete with --interval, for example 2024-01-01."),
    typed("complete the future", "intervals complete --flow events_flow --interval 2100-01-01",
          "The interval 2100-01-01 to 2100-01-02 has not ended yet; it cannot be complete."),
    typed("complete part of a day", "intervals complete --flow events_flow --interval "
          "2024-01-03T05:00", "'2024-01-03T05:00' is not made of whole intervals of '@daily'; it",
          "'2024-01-03 to "),
    typed("complete a range that begins within a day",
          "intervals complete --flow events_flow --interval '2024-01-03T05:00 to 2024-01-05'",
          "is not made of whole intervals", "'2024-01-03 to 2024-01-05': give that."),
    typed("complete a range without an end",
          "intervals complete --flow events_flow --interval '2024-01-03 to '", "''", NOT_A_TIME),
    typed("complete a range backwards",
          "intervals complete --flow events_flow --interval '2024-01-03 to 2024-01-02'", NOT_AFTER),
    typed("complete no date", "intervals complete --flow events_flow --interval now",
          "'now'", NOT_A_TIME),
    typed("complete an interval of values", "intervals complete --flow by_region --interval "
          "2024-01-01 --partitions EU", "Flow 'by_region' runs by value; choose with --partitions"),
    typed("complete a partition without any", "intervals complete --flow events_flow --partitions "
          "EU", "Flow 'events_flow' has no partition format; use --interval."),
    typed("pending by bad cron", "intervals pending --schedule '61 * * * *'",
          "'61' is no minute; use 0-59"),
    typed("pending by a cron that never fires", "intervals pending --schedule '0 0 30 2 *'",
          "'0 0 30 2 *' never fires", "correct its day or month"),
    typed("pending by no cron", "intervals pending --schedule often",
          "'often' has 1 fields; write five (minute, hour, day of month, month, day of week)"),
    typed("pending by an unknown name", "intervals pending --schedule @often",
          "'@often' has no times; use one of @hourly, @daily,"),
    typed("init under a bad name", "init a/b --project-path flows", "Project:", "'a/b' is not a",
          "use 1 to 100 letters, digits, '_' or '-'"),
    typed("init under another name", "init other",
          "holds the project 'shop', not 'other'; use that name, or another folder."),
    typed("init nowhere", "init other --project-path nowhere", "There is no folder", "make it"),
]  # fmt: skip
