"""What happens to a run: kills, a damaged checkpoint."""

import shutil
from collections.abc import Iterator

from benchmarks.survival_runs import Ending, Runs, phase


def killed(runs: Runs, count: int) -> Iterator[Ending]:
    """SIGKILL at random moments, one in each of `count` periods of the whole run."""
    length = runs.ends - runs.begins
    for index in range(count):
        out, accidents = runs.folder / "killed", []
        moments = [(index + runs.random.random()) / count]
        if index % 3 == 2:  # a resume has less to do
            moments += [runs.random.uniform(0, 0.5), runs.random.uniform(0, 0.5)]
        for number, moment in enumerate(moments):
            resume = ["--resume"] if number else []
            if runs.kill(out, runs.begins + moment * length, *resume):
                accidents.append(phase(out))
        yield runs.resume(out, accidents)


def aimed(runs: Runs, count: int) -> Iterator[Ending]:
    """SIGKILL while a file is written."""
    kinds: dict[str, list[int]] = {"checkpoint": [], "export": [], "other": []}
    for number, change in enumerate(runs.changes):
        # What was written under another name is renamed.
        if change.event == "os.rename" and change.name.startswith(".partial-"):
            exported = change.name.endswith(("saved_model", ".tflite"))
            kept = "checkpoint" if "checkpoint" in change.name else "other"
            kinds["export" if exported else kept].append(number)
    for index in range(count):
        number = runs.random.choice(list(kinds.values())[index % 3])
        seconds = 0.0
        if index % 2 == 0:
            # Some time before that, after what comes before the file is opened.
            renamed, number = runs.changes[number].seconds, runs.beginning(number)
            seconds = runs.random.uniform(0, renamed - runs.changes[number].seconds)
        out = runs.aim(runs.folder / "aimed", number, seconds)
        yield runs.resume(out, [phase(out)])


def damaged(runs: Runs, count: int) -> Iterator[Ending]:
    """The checkpoint of a run that was killed in its third round is damaged."""
    killed_run = runs.killed_in_the_third_round("to damage")
    for index in range(count):
        out = runs.folder / "damaged"
        shutil.copytree(killed_run, out)
        path = out / "char_rnn" / "checkpoint.npz"
        content = bytearray(path.read_bytes())
        start = runs.random.randrange(len(content))
        kind = ("cut short", "a bit flipped", "zeros")[index % 3]
        if kind == "cut short":
            del content[start:]
        elif kind == "a bit flipped":
            content[start] ^= 1 << runs.random.randrange(8)
        else:
            end = min(len(content), start + 4096)
            content[start:end] = bytes(end - start)
        path.write_bytes(content)
        ending = runs.resume(out, [kind])
        if "continuing from the one before it" not in ending.said:
            ending.differences.append("the resume did not say that it went back")
        yield ending
