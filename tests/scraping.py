"""Scraping metrics, as Prometheus does."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """What was served at one moment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: list[Metric] = list(text_string_to_metric_families(text))

    @classmethod
    def of(cls, port: int, host: str = "127.0.0.1") -> Scrape:
        """Scrape an address."""
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
            assert answer.status == 200
            return cls(answer.read().decode())

    @property
    def names(self) -> set[str]:
        return {sample.name for family in self.families for sample in family.samples}

    def all(self, name: str) -> Mapping[tuple[str, ...], float]:
        """Every sample of a name, by the values of its labels in the order of their names."""
        return {
            tuple(text for _, text in sorted(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name
        }

    def one(self, name: str, **labels: str) -> float:
        """The sample of a name with these labels, and maybe others."""
        found = [
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert len(found) == 1, f"{len(found)} samples of {name} {labels} in\n{self.text}"
        return found[0]


def assert_named_well(families: Iterable[Metric]) -> None:
    """Hold metrics against Prometheus' conventions for names and help."""
    for family in families:
        assert family.name.startswith(("seeknal_", "process_")), family.name
        assert family.documentation.endswith("."), family.name
        assert family.name == family.name.lower()
        assert not family.name.endswith(("_ms", "_milliseconds", "_kb", "_mb", "_percent"))
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
