"""The page of a run while it trains."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from kerasseq.on_device.serve import start
from kerasseq.page import build_page, draw
from kerasseq.runs.watch import Watch

PORT = 8000  # or a free one
OPEN = """\
Everyone in this network can see the run, stop it and let it go on, and read its models
and texts. Nothing is encrypted and there is no password.
"""


class LivePage:
    """The page of a run.

    Args:
        watch: of the run.
        dist: the folder of the built page.
        host: the address of this machine where it listens.

    Raises:
        ValueError: it cannot be served; the message says why.
    """

    def __init__(self, watch: Watch, dist: Path, host: str) -> None:
        self._watch, self._shared = watch, 0
        try:
            self.server = start(PORT, (), dist, host)
        except ValueError:  # the port may be taken
            self.server = start(0, (), dist, host)
        self.server.files["/training.json"] = self._report
        self.server.actions["/training/hold"] = watch.hold
        self.server.actions["/training/go-on"] = watch.go_on
        self.address = f"{self.server.address}?training"

    def _report(self) -> bytes:
        report = self._watch.report()
        if report["models"] != self._shared:
            self.server.share(self._watch.models[: report["models"]])
            self._shared = report["models"]
        return json.dumps(report).encode()

    def stay(self) -> None:
        """Wait until Ctrl-C."""
        print(f"The page has the models: {self.address} (Ctrl-C ends)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


@contextlib.contextmanager
def live_page(watch: Watch, host: str) -> Iterator[LivePage]:
    """Serve the page of a run in the block.

    Raises:
        ValueError: the page cannot be built or served; the message says why.
        OSError: the page cannot be written.
    """
    page = LivePage(watch, build_page(), host)
    runner = asyncio.Runner()
    loop = runner.get_loop()

    def serve() -> None:
        with runner, contextlib.suppress(asyncio.CancelledError):
            runner.run(page.server.serve())

    def end() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    if not ip_address(host).is_loopback:
        print(OPEN + draw(page.address), end="")
    print(f"The run is shown at {page.address}", flush=True)
    try:
        with page.server:
            yield page
    finally:
        loop.call_soon_threadsafe(end)
        thread.join()
