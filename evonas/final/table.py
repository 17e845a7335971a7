"""What came of the final training as tables: a row a training for programs, a row a network for people."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.errors import EvonasError
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.report.cost_breakdown import cost_breakdown
from evonas.report.escaping import csv_cell
from evonas.report.networks import FoundNetwork
from evonas.report.rescoring import Rescoring
from evonas.report.sheet import Sheet, sheet
from evonas.report.tables import titled
from evonas.task import Metric


@dataclass(frozen=True)
class TestedNetwork:
    """A network that was trained and tested.

    Attributes:
        found: The network as the search knows it.
        results: What was found with the test samples, one for each seed, as `evonas.final.testing` returns it.
    """

    found: FoundNetwork
    results: tuple[Mapping[str, Any], ...]

    @property
    def picked(self) -> str:
        """How it was picked."""
        return ", ".join(dict.fromkeys(str(one["picked"]) for one in self.results if one["picked"]))

    def metric(self, name: str) -> list[float]:
        """Return the values of a metric on the test samples, by seed."""
        return [measurement_of(one).metric(name) for one in self.results]

    def searched(self, name: str) -> float | None:
        """Return the value of a metric on the validation samples in the search."""
        measurement = self.found.measurement
        return measurement.metrics.get(name) if isinstance(measurement, Measurement) else None


def measurement_of(result: Mapping[str, Any]) -> Measurement:
    """Return the measurement of a result."""
    return Measurement.from_json(result["measurement"])


def to_csv(networks: Sequence[TestedNetwork], rescoring: Rescoring, metric: Metric) -> str:
    """Return a line a training: metrics, counts and objectives on the test samples, beside those of the search.

    Values of the search are those by which it is scored, while `rescoring` may know of fewer bits of a weight.
    `gain` is what `metric`, the task's first one, is better on the test samples than in the search: negative where the
    search, with fewer epochs and samples and its own choice of the best, flattered the network all the same.
    """
    rows = [row for network in networks for row in _rows(network, rescoring, metric)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    for row in rows:
        cells = [row.get(name) for name in columns]
        writer.writerow(
            [csv_cell("" if cell is None else repr(cell) if isinstance(cell, float) else cell) for cell in cells]
        )
    return text.getvalue()


def _rows(network: TestedNetwork, rescoring: Rescoring, metric: Metric) -> list[dict[str, Any]]:
    found = network.found.measurement
    metrics = {name: network.metric(name) for name in measurement_of(network.results[0]).metrics}
    rows = []
    for number, result in enumerate(network.results):
        measurement = measurement_of(result)
        activity = measurement.activity
        row = {"key": result["key"], "picked": result["picked"], "seed": result["seed"], "epochs": result["epochs"]}
        row |= {f"test {name}": values[number] for name, values in metrics.items()}
        row |= {f"search {name}": network.searched(name) for name in metrics}
        if (searched := network.searched(metric.name)) is not None and metric.name in metrics:
            tested = metrics[metric.name][number]
            row[f"gain of {metric.name}"] = tested - searched if metric.direction == "max" else searched - tested
        if "calibration" in result:
            row["expected calibration error"] = result["calibration"]["expected_calibration_error"]
        row |= {"test samples": measurement.samples, "parameters": measurement.parameters}
        row |= {"spikes": activity.spikes, "synaptic operations": activity.synaptic_operations, "macs": activity.macs}
        for objective in rescoring.objectives:
            if objective.name not in metrics:
                row[f"test {titled(objective)}"] = value_of(objective, measurement)
                own = next(one for one in network.found.rescoring.objectives if one.name == objective.name)
                row[f"search {titled(objective)}"] = value_of(own, found)
        cost = cost_breakdown(activity, rescoring)
        if cost is not None and cost.energy is not None:
            row |= {
                f"energy on {cost.profile}, {end} [J/sample]": cost.energy[end] for end in ("low", "nominal", "high")
            }
        rows.append({**row, "reading of the test samples": result["reading"]})
    return rows


def value_of(objective: Objective, measurement: Any) -> float | None:
    """Return the value of an objective, None where a measurement has none."""
    try:
        return float(objective.score(measurement))
    except EvonasError:
        return None


def summary(networks: Sequence[TestedNetwork], rescoring: Rescoring, metric: Metric) -> Sheet:
    """Return a row a network: mean and spread of `metric` over its seeds, and what the search had said."""
    first = measurement_of(networks[0].results[0])
    is_calibrated = any("calibration" in result for network in networks for result in network.results)
    others = [objective for objective in rescoring.objectives if objective.name not in first.metrics]
    header = ["key", "picked", "seeds", f"test {metric.name}", f"search {metric.name}"]
    header += ["calibration error"] if is_calibrated else []
    header += [titled(one) for one in others]
    lines = []
    for network in networks:
        searched = network.searched(metric.name)
        errors = [one["calibration"]["expected_calibration_error"] for one in network.results if "calibration" in one]
        line = [network.found.key, network.picked, str(len(network.results))]
        line += [mean_and_spread(network.metric(metric.name)), "-" if searched is None else f"{searched:.4f}"]
        line += [mean_and_spread(errors)] if is_calibrated else []
        for objective in others:
            values = [value_of(objective, measurement_of(one)) for one in network.results]
            line.append(mean_and_spread([value for value in values if value is not None], form=".3g"))
        lines.append(line)
    title = f"Tested on {first.samples} samples: {sum(len(one.results) for one in networks)} trainings"
    return sheet(header, lines, title=title, right=header[2:])


def robustness(networks: Sequence[TestedNetwork]) -> Sheet | None:
    """Return a row a disturbance and a column a network, mean and spread over seeds and draws; None without any."""
    of = {one.found.key: [each for result in one.results for each in result.get("robustness", [])] for one in networks}
    names = list(dict.fromkeys(each["disturbance"] for known in of.values() for each in known))
    if not names:
        return None
    lines = []
    for name in names:
        values = {
            key: [value for each in known if each["disturbance"] == name for value in each["values"]]
            for key, known in of.items()
        }
        lines.append([name, *(mean_and_spread(one) for one in values.values())])
    metric = next(each["metric"] for known in of.values() for each in known)
    return sheet(["disturbance", *of], lines, title=f"Test {metric} under disturbances", right=list(of))


def robustness_csv(networks: Sequence[TestedNetwork]) -> str:
    """Return a line a training and disturbance: mean and spread over the draws, and their number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["key", "seed", "disturbance", "metric", "mean", "std", "draws"])
    for network in networks:
        for result in network.results:
            for one in result.get("robustness", []):
                spread = "" if one["std"] is None else repr(one["std"])
                writer.writerow(
                    [result["key"], result["seed"], one["disturbance"], one["metric"], repr(one["mean"]), spread,
                     len(one["values"])]
                )  # fmt: skip
    return text.getvalue()


def mean_and_spread(values: Sequence[float], *, form: str = ".4f") -> str:
    """Return the mean of values and their standard deviation, for people.

    Example:
        >>> mean_and_spread([0.97, 0.98, 0.99])
        '0.9800 ± 0.0100'
        >>> mean_and_spread([0.5]), mean_and_spread([])
        ('0.5000', '-')
    """
    if not values:
        return "-"
    mean = format(statistics.fmean(values), form)
    return mean if len(values) == 1 else f"{mean} ± {format(statistics.stdev(values), form)}"
