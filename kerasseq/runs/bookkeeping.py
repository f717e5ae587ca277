"""Records of all runs: checkpoints of training on a text, and the report."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from kerasseq.files.hashes import sha256_of
from kerasseq.on_device.command import visible
from kerasseq.runs.fine_tuning import Start
from kerasseq.runs.options import Options
from kerasseq.text.reading import CHANGED, is_file
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.workers import workers


def open_checkpoint(
    options: Options,
    name: str,
    sha256: str,
    config: Any,
    training: TrainingConfig,
    start: Start | None = None,
) -> Checkpoint:
    """The checkpoint of a run that trains on one text; with --resume it is read.

    Args:
        options: of the run.
        name: of the model and its folder.
        sha256: of the text.
        config: the model's sizes, a dataclass.
        training: how the model is trained.
        start: the saved model that training starts from.

    Raises:
        ValueError: the checkpoint is damaged, or its run had other settings, or its
            batches cannot be shared by the workers.
    """
    run = {
        "text's SHA-256": sha256,
        **asdict(config),
        **asdict(training),
        "seed": options.seed,
    }
    if start:
        run["SHA-256 of the starting model"] = start.sha256
    checkpoint = Checkpoint(options.out / name / "checkpoint.npz", run)
    workers().share_of(training.batch_size)  # refused now, not in the training
    if options.resume and workers().is_chief:
        checkpoint.read()
    return checkpoint


@contextlib.contextmanager
def describe_file(path: str | os.PathLike) -> Iterator[tuple[str, str | None]]:
    """A file's name for the report, and its SHA-256, for a block that reads the file.

    The hash is None of what is no file, such as a pipe.

    Raises:
        ValueError: the file changed within the block.
    """
    before = sha256_of(path) if is_file(Path(path)) else None
    yield visible(Path(path).name), before
    if before and (not is_file(Path(path)) or sha256_of(path) != before):
        raise ValueError(CHANGED.format(path))


def describe_training(
    options: Options, model: keras.Model, seconds: float, *settings: Any
) -> dict[str, Any]:
    """The report's rows on the training, with the fields of dataclasses `settings`."""
    section = {
        "parameters": model.count_params(),
        "seconds of training": round(seconds),
        "cores": os.cpu_count(),
    }
    for each in settings:
        section |= asdict(each)
    return {**section, "seed": options.seed}
