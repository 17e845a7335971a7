"""The networks of a run as objects: what each is, what it did, what it costs, and the torch module itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from evonas.archive.pareto_front import Front
from evonas.chips.deployment import Deployment
from evonas.chips.energy import EnergyEstimate, estimate
from evonas.chips.profile import load
from evonas.engine.view import Row
from evonas.errors import EvonasError, RunFileError
from evonas.genotype import Genotype
from evonas.input_shape import Element, InputShape
from evonas.measurement import Activity, Measurement
from evonas.report.rescoring import Rescoring
from evonas.report.run_folder import RunFolder, said_in_python
from evonas.report.sheet import sheet, to_html
from evonas.report.tables import table
from evonas.report.weights_file import make_folder, read_weights, write_weights
from evonas.runfile.retraining import data_of, retrained, validation_inputs

HEAD = ("key", "slot", "strategy", "epochs")
"""How the record of a network begins; its objectives follow."""


@dataclass(frozen=True, repr=False)
class FoundNetwork:
    """A measured network of a run.

    Attributes:
        row: Its row.
        rescoring: The objectives and the chip that it is scored for.
        folder: The folder of its run.
    """

    row: Row
    rescoring: Rescoring
    folder: RunFolder

    @property
    def key(self) -> str:
        """The hash of its genotype, by which commands name it."""
        return self.row.job.genotype.key

    @property
    def genotype(self) -> Genotype:
        """What was chosen: a mapping of variables to plain values."""
        return self.row.job.genotype

    @property
    def slot(self) -> int:
        """Its position in the run."""
        return self.row.job.slot

    @property
    def epochs(self) -> int:
        """Epochs that it was trained for."""
        return self.row.job.epochs

    @property
    def objectives(self) -> dict[str, float | None]:
        """The value of each objective by its name, in its unit; None where it has none."""
        score = self.row.score
        values = [None] * len(self.rescoring.objectives) if score is None else score.values
        return {one.name: value for one, value in zip(self.rescoring.objectives, values, strict=True)}

    @property
    def measurement(self) -> Any:
        """What was measured: a `Measurement`, or the JSON object of an `evaluate` of one's own."""
        return self.row.evaluation.measurement

    @property
    def plan(self) -> Any:
        """What it consists of, layer by layer, as the `plan` of its space says: an `evonas.architecture.plan.Plan`.

        Raises:
            RunFileError: If the space cannot be found or has no `plan`, or nothing was measured.
        """
        with said_in_python():
            make = self.folder.space.plan
            if make is None:
                raise RunFileError([f"search.space: {self.folder.file.search.space!r} has no `plan`"])
            return make(self.genotype, *self.shapes())

    def shapes(self) -> tuple[InputShape, int]:
        """Return the shape of the data, with the class of its elements, and the outputs of the readout, as measured.

        Raises:
            RunFileError: If its counts do not say them.
        """
        activity = self._activity()
        fed = [edge for edge in activity.connections if edge.sources == ("input",)]
        if not fed:
            raise RunFileError([f"network {self.key}: no layer reads the data alone, so that their shape is not known"])
        first = fed[0]
        shape = first.in_shape if first.static else (activity.time_steps, *first.in_shape)
        return InputShape(shape, cast(Element, first.element)), activity.populations[-1].shape[0]

    @property
    def weights(self) -> Path:
        """The file of its trained weights, `weights/KEY.safetensors` in the folder of the run, there or not."""
        return self.folder.path / "weights" / f"{self.key}.safetensors"

    @property
    def is_trained(self) -> bool:
        """Whether its trained weights are kept."""
        return self.weights.is_file()

    @property
    def trained_seeds(self) -> tuple[int, ...]:
        """The seeds from which `evonas train` has trained it for real."""
        found = (self.folder.path / "trained").glob(f"{self.key}-*.safetensors")
        return tuple(sorted(int(path.stem.rpartition("-")[2]) for path in found))

    def network(self, *, trained: int | None = None) -> Any:
        """Return the network as a torch module: trained where its weights are kept, else as it is drawn (`is_trained`).

        It takes `(time, batch, channels, height, width)` and returns `(batch, classes)` logits. What is drawn comes
        from torch's global generator; what is trained is in the mode of evaluation.

        Args:
            trained: A seed from which `evonas train` has trained it; None is the training of the run.

        Raises:
            RunFileError: If the space cannot be found, nothing was measured, or it was not trained from this seed.
            ArchiveError: If the weights that are kept are of another network or training, or damaged.
        """
        if trained is not None and trained not in self.trained_seeds:
            seeds = ", ".join(map(str, self.trained_seeds)) or "none"
            raise RunFileError(
                [f"trained: network {self.key} was not trained from seed {trained}, but from {seeds}; see evonas train"]
            )
        with said_in_python():
            build = self.folder.space.build
            if build is None:
                raise RunFileError([f"search.space: {self.folder.file.search.space!r} has no `build`"])
            network = build(self.genotype, *self.shapes())
        if trained is not None:
            path = self.folder.path / "trained" / f"{self.key}-{trained}.safetensors"
            read_weights(path, network, of={"key": self.key, "seed": str(trained)})
        elif self.is_trained:
            read_weights(self.weights, network, of=self._training)
        return network

    def train(self, *, exact: bool = True, path: str | None = None) -> Any:
        """Return the trained network, and keep its weights in the folder of the run.

        Where no weights are kept it is trained as in the run, with the same data, seed, epochs and threads, so that the
        same network results, and is measured again. Training everything once more is cheaper than keeping the weights
        of every network of a search, of which few are ever asked for.

        Args:
            exact: Whether what is measured must be what the archive holds. On another kind of device, with another
                version of torch or on another number of threads it may differ.
            path: Where the data of the run lie now; None is where its run file says.

        Raises:
            RunFileError: If the space or the data of the run are not found.
            DataError: If the data are others.
            ArchiveError: If the weights cannot be kept.
            EvonasError: If what is measured differs.
        """
        if self.is_trained:
            return self.network()
        make_folder(self.weights.parent)
        settings = self.folder.settings
        with said_in_python():
            network, measurement = retrained(
                self.folder.file,
                self.row.job,
                fingerprint=settings.get("data.fingerprint"),
                path=path,
                trusted=self.folder.trust,
            )
        if exact and measurement != self.measurement:
            name, own = next(iter(measurement.metrics)), self.measurement
            raise EvonasError(
                f"The training of network {self.key} gives another network here than in the run: {name} "
                f"{measurement.metric(name):.4f} and {measurement.activity.spikes:.6g} spikes a sample, in the archive "
                f"{own.metric(name):.4f} and {own.activity.spikes:.6g}. The kind of device or a "
                "version differs. Train it where the run ran, or take it as it is with exact=False."
            )
        metrics = {name: repr(value) for name, value in measurement.metrics.items()}
        write_weights(self.weights, network, about={**metrics, **self._training})
        return network

    def samples(self, *, most: int = 64, path: str | None = None) -> Any:
        """Return `(time, samples, channels, height, width)` inputs of the first validation samples of the run.

        Args:
            most: How many at most.
            path: Where the data of the run lie now; None is where its run file says.

        Raises:
            RunFileError: If the data are not found.
            DataError: If they are others.
        """
        with said_in_python():
            data = data_of(
                self.folder.file,
                fingerprint=self.folder.settings.get("data.fingerprint"),
                path=path,
                trusted=self.folder.trust,
            )
        return validation_inputs(data, most=most, time_steps=self.plan.time_steps)

    @property
    def _training(self) -> dict[str, str]:
        """What decides on the weights within a run, as texts."""
        job = self.row.job
        return {"key": self.key, "epochs": str(job.epochs), "seed": str(job.seed)}

    def energy(self, profile: str | None = None) -> EnergyEstimate:
        """Return the energy of a sample on a chip: `dynamic` and `total` with their bands, by layer and by term.

        How the network is put there (`weight_bits` and so on) is as in the run.

        Args:
            profile: The chip, by its name or the path of its file; None is that of the run.

        Raises:
            RunFileError: If there is neither this chip nor one of the run, or nothing was measured.
            UnpriceableError: If the chip cannot do what the network does.
        """
        chip = profile or self.rescoring.profile
        if chip is None:
            raise RunFileError(["energy: the run has no chip; expected the name of one, such as 'loihi1_davies'"])
        options = {name: value for name, value in self.rescoring.energy.items() if name != "part"}
        return estimate(self._activity(), load(chip), assumed=Deployment(**options))

    def record(self) -> dict[str, Any]:
        """Return it as one flat record: key, slot, strategy, epochs, objectives, counts, genotype."""
        job = self.row.job
        values = (self.key, job.slot, job.strategy, job.epochs)
        head = {**dict(zip(HEAD, values, strict=True)), **self.objectives}
        return {**head, **self._counts(), **{name: value for name, value in job.genotype.items() if name not in head}}

    def _counts(self) -> dict[str, Any]:
        """Return the counts of a sample that objectives do not show already."""
        found = self.measurement
        if not isinstance(found, Measurement):
            return {}
        activity, samples = found.activity, found.activity.samples
        known: Mapping[str, Any] = {
            **found.metrics,
            "parameters": found.parameters,
            "time_steps": found.time_steps,
            "spikes": activity.spikes,
            "synaptic_events": sum(sum(edge.events) + sum(edge.graded) for edge in activity.connections) / samples,
            "multiply_accumulates": sum(sum(edge.macs) for edge in activity.connections) / samples,
        }
        return {name: value for name, value in known.items() if name not in self.objectives}

    def _activity(self) -> Activity:
        found = self.measurement
        if not isinstance(found, Measurement):
            raise RunFileError(
                [f"network {self.key}: its measurement has no counts of layers, so that it cannot be built or priced"]
            )
        return found.activity

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows: objectives, counts and genotype, one a line."""
        lines = [
            (name, f"{value:.6g}" if isinstance(value, float) else str(value)) for name, value in self.record().items()
        ]
        return to_html(sheet(("network", self.key), lines[1:]))

    def __repr__(self) -> str:
        values = (f"{name} {value:.4g}" for name, value in self.objectives.items() if value is not None)
        return f"<Network {self.key}: {', '.join(values)}>"


@dataclass(frozen=True, repr=False)
class FrontOfNetworks(Front):
    """A front whose networks are objects. It iterates over them, in slot order.

    Attributes:
        networks: The networks.
    """

    networks: tuple[FoundNetwork, ...] = ()

    def __iter__(self) -> Iterator[FoundNetwork]:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)

    def __getitem__(self, index: int) -> FoundNetwork:
        return self.networks[index]

    def to_dataframe(self) -> Any:
        """Return a pandas data frame, one row a network: key, objectives, counts, genotype (`NaN` where it has none).

        Raises:
            ImportError: If pandas is not installed.
        """
        import pandas

        columns = None if self.networks else [*HEAD, *(objective.name for objective in self.objectives)]
        return pandas.DataFrame.from_records([network.record() for network in self.networks], columns=columns)

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows. Texts that come from files are escaped."""
        return to_html(table(self))

    def __repr__(self) -> str:
        return f"<Front of {len(self)} networks: {', '.join(one.name for one in self.objectives)}>"
