"""What ``seeknal doctor`` prints."""

from __future__ import annotations

from pathlib import Path

from seeknal.cli import text
from seeknal.doctor import Finding, Level, examine


def check_up(path: Path | None, redis: str | None, *, as_json: bool) -> int:
    """Print what is found; 1 if there is something to fix."""
    findings = examine(path, redis)
    to_fix = sum(each.level is Level.FIX for each in findings)
    if as_json:
        text.show_json({"ok": not to_fix, "findings": [_json(each) for each in findings]})
    else:
        for each in findings:
            _show(each)
        text.show(f"{text.plural(to_fix, 'thing')} to fix." if to_fix else "All is well.")
    return 1 if to_fix else 0


def _show(finding: Finding) -> None:
    text.show(f"{finding.level:4}  {finding.check}: {finding.text}")
    if finding.advice:
        text.show(f"      {finding.advice}")


def _json(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "level": str(finding.level),
        "text": finding.text,
        "advice": finding.advice,
    }
