"""What others do to a run: a second one in its folder, a forged checkpoint."""

import hashlib
import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.survival_runs import Ending, Runs, differences


def together(runs: Runs, count: int) -> Iterator[Ending]:
    """A second run in the folder of one that is at work."""
    length = runs.ends - runs.begins
    for index in range(count):
        out = runs.folder / "together"
        first = runs.start(out)
        # It comes to the folder as long after its own start as the first did.
        time.sleep((index + runs.random.random()) / count * length)
        resume = ["--resume"] * (index % 2)
        code = runs.start(out, *resume, log_name="second").wait()
        said = (runs.folder / "second").read_text()
        late = first.poll() is not None
        ended = first.wait() == 0
        found = differences(runs.whole, out) if ended else ["the first run failed"]
        if not late and not is_refused(code, said, f"{out} is in use by another run"):
            found.append(f"the second run was not refused: {code}, {said[-1000:]}")
        shutil.rmtree(out)
        when = "after the first had ended" if late else "while the first was at work"
        yield Ending((f"a second run {when}",), ended, found)


def forged(runs: Runs, count: int) -> Iterator[Ending]:
    """The checkpoint of a killed run is forged, and then put back."""
    killed_run = runs.killed_in_the_third_round("to forge")
    victim = runs.folder / "victim"
    victim.write_text("innocent")
    for index in range(count):
        out = runs.folder / "forged"
        shutil.copytree(killed_run, out)
        path = out / "char_rnn" / "checkpoint.npz"
        kind = KINDS[index % len(KINDS)]
        forge(path, kind, victim)
        before = contents(out)
        code = runs.start(out, "--resume").wait()
        said = (runs.folder / "log").read_text()
        refused = is_refused(code, said, f"{path} is not a")
        unchanged = contents(out) == before and victim.read_text() == "innocent"
        for name in ("checkpoint.npz", "checkpoint_before.npz"):
            shutil.copy(killed_run / "char_rnn" / name, path.with_name(name))
        ending = runs.resume(out, [kind])
        if not refused or not unchanged:
            ending.differences.append(f"{code}, {unchanged}: {said[-1000:]}")
        yield ending


def is_refused(code: int, said: str, start: str) -> bool:
    """Whether a command ended with 2 and one line that starts like this."""
    lines = [line for line in said.splitlines() if line.startswith("train_all.py: ")]
    return (
        code == 2
        and len(lines) == 1
        and lines[0].startswith(f"train_all.py: error: {start}")
        and "Traceback" not in said
    )


def contents(out: Path) -> dict[str, bytes]:
    """The files of a folder without the lock, which a killed run leaves."""
    paths = [path for path in out.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in paths if path.name != ".lock"}


KINDS = ("a path in a callback", "a billion epochs", "another shape", "a terabyte")


def forge(path: Path, kind: str, victim: Path) -> None:
    """Replace a checkpoint by one that somebody made, with the right hash."""
    with np.load(path) as found:
        arrays = dict(found)
    done = json.loads(str(arrays.pop("done")))
    if kind == "a path in a callback":
        for name in [name for name in arrays if name.endswith("/plain")]:
            state = json.loads(str(arrays[name]))
            state |= {"path": str(victim), "_path": str(victim)}
            if "rows" in state:
                state["rows"] = [{"epoch": 1, "$(echo forged)": 1.0}]
            arrays[name] = np.array(json.dumps(state))
    elif kind == "a billion epochs":
        done["epochs"] = 10**9
    elif kind == "another shape":
        arrays["variable_0"] = np.zeros((7, 7), np.float32)
    np.savez(path, allow_pickle=False, **sign(arrays, done))
    if kind == "a terabyte":
        text = str({"descr": "<f8", "fortran_order": False, "shape": (2**37,)})
        header = np.lib.format.magic(1, 0) + len(text).to_bytes(2, "little")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("done.npy", header + text.encode() + bytes(10**8))
        shutil.copy(path, path.with_stem("checkpoint_before"))


def sign(arrays: dict[str, np.ndarray], done: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint with the hash that fits them."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    text = json.dumps({**done, "sha256": digest.hexdigest()})
    return {"done": np.array(text), **arrays}
