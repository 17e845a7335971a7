"""A session: one command that trains what it picks, goes on where another was stopped, and tests all of it once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from evonas.cli.session_log import SessionLog
from evonas.data.dataset import DataSet, SearchData
from evonas.errors import ArchiveError, DataError, EvonasError, RunFileError
from evonas.final import table
from evonas.final.folder import TrainedFolder
from evonas.final.progress import TrainingProgress
from evonas.final.recipe import Recipe, recipe_of
from evonas.final.table import TestedNetwork
from evonas.final.testing import tested
from evonas.final.training import Setup
from evonas.final.trainings import Trainings, one_after_another
from evonas.final.trial import Trial
from evonas.objective import measures_of
from evonas.report.answer import Command, answered
from evonas.report.networks import FoundNetwork
from evonas.report.rescoring import Rescoring, rescored
from evonas.report.results_folder import named_code, with_shipped_profiles
from evonas.report.run_folder import RunFolder
from evonas.runfile.data_section import dataset_of
from evonas.runfile.retraining import data_section_of
from evonas.runfile.schema import RunFile
from evonas.training.process import sees_gpu

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Order:
    """What a command asks for.

    Attributes:
        folder: The folder of a run.
        wanted: The networks, each in the form that `evonas.report.pick` takes; the usual one where none is named.
        epochs: Epochs of each training.
        seeds: Trainings of each network, with the seeds from 0 on.
        settings: `training.key=value` over the run file.
        augment: How training varies samples, over what the data of the run say.
        quantize: Bits of a weight, as `evonas.final.recipe.bits_of` takes them; None for weights as they are.
        options: Further attributes of the recipe.
        workers: Trainings at once; 0 in this process, None as many as there is room for.
        num_cpus: CPUs of each; None as in the run.
        num_gpus: GPUs of each; None as in the run.
        robustness: Whether disturbances are measured.
        budgets: Hard bounds for the picks.
        profile: Another chip.
        path: Where the data lie now.
        trust: Whether code of the user's own may be imported.
    """

    folder: Path
    wanted: tuple[str, ...]
    epochs: int
    seeds: int
    settings: tuple[str, ...] = ()
    augment: tuple[str, ...] = ()
    quantize: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    workers: int | None = None
    num_cpus: float | None = None
    num_gpus: float | None = None
    robustness: bool = False
    budgets: tuple[str, ...] = ()
    profile: str | None = None
    path: str | None = None
    trust: bool = False


@dataclass(frozen=True)
class Chosen:
    """What a command comes to, checked: nothing is trained or written yet.

    Attributes:
        file: The run file, with what the command changes.
        networks: The picked networks.
        trials: Each of them with each seed.
        rescoring: How trained ones are scored: with the bits of a weight that they are trained for.
        recipe: How they are trained.
        data: The data set, its test part closed.
        train: What is trained on, and the validation samples.
        folder: Where the results go.
        notes: Sentences for people.
    """

    file: RunFile
    networks: tuple[FoundNetwork, ...]
    trials: tuple[Trial, ...]
    rescoring: Rescoring
    recipe: Recipe
    data: DataSet
    train: SearchData
    folder: TrainedFolder
    notes: tuple[str, ...]


def chosen(order: Order) -> Chosen:
    """Return what a command comes to.

    Raises:
        RunFileError: With everything that is wrong with it.
    """
    try:
        return _chosen(order)
    except (ArchiveError, DataError) as error:  # what was given is wrong, and nothing has begun
        raise RunFileError([str(error)]) from error
    except RunFileError as error:
        raise RunFileError([fault.replace("trust=True", "--trust") for fault in error.faults]) from error


def _chosen(order: Order) -> Chosen:
    answer = answered(order.folder, Command(order.profile, order.budgets, order.wanted, order.trust, usual=True))
    place = RunFolder(order.folder, order.trust, answer.results.settings)
    faults = []
    if not 1 <= order.seeds <= MOST_SEEDS:
        faults.append(f"--seeds: got {order.seeds}, expected a whole number from 1 to {MOST_SEEDS:,}")
    if not order.trust:
        faults += named_code(place.file, folder=order.folder)
    try:
        file, recipe = recipe_of(
            place.file,
            epochs=order.epochs,
            settings=order.settings,
            augment=order.augment,
            quantize=order.quantize,
            num_cpus=order.num_cpus,
            num_gpus=order.num_gpus,
            **dict(order.options),
        )
    except RunFileError as error:
        raise RunFileError([*faults, *error.faults]) from None
    if order.workers == 0 and recipe.device == "cuda" and not sees_gpu():
        faults.append("--num-gpus: with --workers 0 it is trained in this process, where torch sees no GPU")
    if faults:
        raise RunFileError(faults)
    networks = tuple(
        {row.job.genotype.key: FoundNetwork(row, answer.rescoring, place) for row in answer.picks}.values()
    )
    named = dict(zip((row.job.genotype.key for row in answer.picks), answer.wanted, strict=True))
    trials = tuple(
        Trial(network.genotype, seed, picked=named[network.key] if named[network.key] != network.key else "",
              slot=network.slot)
        for network in networks
        for seed in range(order.seeds)
    )  # fmt: skip
    rescoring = answer.rescoring
    if recipe.weight_bits is not None:
        rescoring = _rescored(place.file, order, weight_bits=recipe.weight_bits)
    data, train = _data_of(file, recipe, path=order.path, known=place.settings.get("data.fingerprint"), order=order)
    notes = tuple(answer.notes(is_for_people=True))
    return Chosen(file, networks, trials, rescoring, recipe, data, train, TrainedFolder(place.path), notes)


def _rescored(file: RunFile, order: Order, *, weight_bits: int) -> Rescoring:
    """Return how networks are scored whose weights have so many bits, and else as the command says."""
    used = file if order.trust else with_shipped_profiles(file)
    return rescored(used, profile=order.profile, budgets=order.budgets, weight_bits=weight_bits, trusted=order.trust)


def _data_of(
    file: RunFile, recipe: Recipe, *, path: str | None, known: str | None, order: Order
) -> tuple[DataSet, SearchData]:
    """Return the data set of a run, and what is trained on.

    Raises:
        RunFileError: If it is not found, or cannot be varied so.
        DataError: If it is another than that of the run.
    """
    section = data_section_of(file, path=path)
    data, faults = dataset_of(section, trusted=order.trust)
    if data is None:
        raise RunFileError(faults)
    if known is not None and data.for_search(seed=section.seed).fingerprint != known:
        raise DataError(
            f"The data {file.data.name!r} are others than those that the run was made with: their fingerprints differ. "
            "Say with --path where the former ones are."
        )
    if recipe.augmentation:
        data, faults = dataset_of(recipe.data_section(section), trusted=order.trust)
        if data is None:
            raise RunFileError([fault.replace("data.", "--augment ", 1) for fault in faults])
    train = data.for_search if recipe.keep_validation else data.for_final_training
    return data, train(seed=section.seed)


def trained_and_tested(order: Order, *, console: Console) -> bool:
    """Train what a command asks for, test it once, and show what came of it; return whether all trainings succeeded.

    Raises:
        RunFileError: If the command is wrong; nothing was written then.
        ArchiveError: If results cannot be written or read.
        WorkersError: If workers cannot be started.
    """
    order_of = chosen(order)
    folder, recipe = order_of.folder, order_of.recipe
    measures = measures_of(order_of.rescoring.objectives)
    setup = Setup(order_of.file.search, order_of.file.space, order_of.train, recipe, folder, order.trust, measures)
    fingerprint = order_of.networks[0].folder.settings.get("data.fingerprint")
    with folder.held(recipe, fingerprint=fingerprint), SessionLog(folder.path / "log.txt", console) as log:
        for note in order_of.notes:
            log.show(f"Note: {note}")
        faults = _train(order_of, setup, _trainings(order, order_of.file), log)
        for trial, fault in faults.items():
            log.tell(f"{trial.name} failed: {fault}")
        if faults:
            done = len(order_of.trials) - len(faults)
            log.tell(
                f"{len(faults)} of {len(order_of.trials)} trainings failed, so that the test samples were not read; "
                f"the weights of {done} are kept. Remove the cause, and give the same command again."
            )
            return False
        _test(order, order_of, setup, log)
        _show(order_of, console)
    return True


def _trainings(order: Order, file: RunFile) -> Trainings:
    if order.workers == 0:
        return one_after_another
    from evonas.final.tune import TuneTrainings  # importing Ray takes seconds

    workers = file.workers
    return TuneTrainings(order.workers, workers.num_cpus, workers.num_gpus, workers.retries)


def _train(order: Chosen, setup: Setup, trainings: Trainings, log: SessionLog) -> dict[Trial, str]:
    missing = order.folder.missing(order.trials)
    held_out = "" if order.recipe.keep_validation else " and validation"
    bits = "" if order.recipe.weight_bits is None else f" for weights of {order.recipe.weight_bits} bits"
    if missing:
        log.tell(
            f"Training {_many(len(order.networks), 'network')} from "
            f"{_many(len(order.trials) // len(order.networks), 'seed')}{bits} for "
            f"{_many(order.recipe.training.epochs, 'epoch')} on {len(order.train.train)} training{held_out} samples; "
            f"{len(order.trials) - len(missing)} of {len(order.trials)} are done."
        )
        with TrainingProgress(missing, epochs=order.recipe.training.epochs, tell=log.tell) as progress:
            return trainings(missing, setup, on_epoch=progress)
    return {}


def _test(order: Order, chosen: Chosen, setup: Setup, log: SessionLog) -> None:
    """Read the test samples for what was not tested yet; say and count each reading."""
    folder, known = chosen.folder, chosen.folder.results()
    untested = [
        trial
        for trial in chosen.trials
        if trial.name not in known or (order.robustness and "robustness" not in known[trial.name])
    ]
    if not untested:
        log.tell("All of it is trained and tested: the test samples were not read again.")
        return
    why = "robustness" if all(trial.name in known for trial in untested) else "test"
    reading = folder.note_reading(untested, why=why)
    if reading > 1:
        log.tell(
            f"The test samples are read for the {_ordinal(reading)} time ({folder.readings_file}). What is chosen by "
            "what they said before is no longer tested by them."
        )
    tested(
        untested,
        setup,
        chosen.data,
        seed=chosen.file.data.seed,
        reading=reading,
        robustness=order.robustness,
        on_trial=lambda trial, result: folder.keep_result(trial, result),
    )


def _show(order: Chosen, console: Console) -> None:
    """Write the tables of all that was tested in the folder, and show those of the command."""
    metric, results = order.train.task.metrics[0], order.folder.results()
    everything = _networks(order.networks[0], results)
    order.folder.write_text("trained.csv", table.to_csv(everything, order.rescoring, metric))
    own = {network.key for network in order.networks}
    shown = [network for network in everything if network.found.key in own]
    console.print(table.summary(shown, order.rescoring, metric))
    sheet = table.robustness(shown)
    if sheet is not None:
        order.folder.write_text("robustness.csv", table.robustness_csv(everything))
        console.print(sheet)
    console.print(f"Results: {order.folder.path}", markup=False, highlight=False, soft_wrap=True)


def _networks(one: FoundNetwork, results: dict[str, dict[str, Any]]) -> list[TestedNetwork]:
    """Return the networks of all results, those that the search still knows."""
    from evonas.report.run import load

    rows = {row.job.slot: row for row in load(one.folder.given, trust=one.folder.trust).rows}
    by_key: dict[str, list[dict[str, Any]]] = {}
    for result in results.values():
        by_key.setdefault(str(result["key"]), []).append(result)
    found = []
    for key, own in by_key.items():
        row = rows.get(int(own[0]["slot"]))
        if row is None or row.job.genotype.key != key:
            raise EvonasError(f"The run has no network {key} in slot {own[0]['slot']}, which was trained from it.")
        network = FoundNetwork(row, one.rescoring, one.folder)
        found.append(TestedNetwork(network, tuple(sorted(own, key=lambda result: int(result["seed"])))))
    return found


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
