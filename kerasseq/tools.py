"""The commands of `kerasseq` beside training and exporting."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from kerasseq.on_device.command import visible
from kerasseq.outcome import exit_code


def add_tools(app: typer.Typer, make: str, devices: str) -> None:
    """Add `page`, `runner` and `cache` to `kerasseq`, under headings of its help."""

    @app.command("page", rich_help_panel=devices)
    def page(
        files: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="[OUT or FILES]", help="Folder of a run, or .tflite files."
            ),
        ] = None,
        port: Annotated[
            str, typer.Option(metavar="N", help="Port; 0 takes a free one.")
        ] = "8000",
        host: Annotated[
            str,
            typer.Option(
                metavar="ADDRESS",
                help="Address of this machine to listen at, 0.0.0.0 for all: others "
                "in the network, like your phone, can then read page and models.",
            ),
        ] = "127.0.0.1",
        save: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Write page and models to a folder, for any server of files.",
            ),
        ] = None,
    ) -> int:
        """Serve the page in the browser, and build it where it is not built yet."""
        from kerasseq.on_device import serve
        from kerasseq.page import build_page, draw, find_models, save_page

        def work() -> int:
            models = list(find_models(files or ()))
            if save:
                print(visible(save_page(build_page(), models, save)))
                return 0
            arguments = ["--port", port, "--host", host, "--", *map(str, models)]
            return serve.main(arguments, "kerasseq page", build_page(), draw)

        return exit_code("kerasseq page", work, "run this again")

    @app.command("cache", rich_help_panel=make)
    def cache(
        empty: Annotated[bool, typer.Option("--empty", help="Remove all.")] = False,
    ) -> int:
        """List the texts that are kept for the next run, or remove them."""
        from kerasseq.text.cache_folder import (
            cache_folder,
            cached_texts,
            empty_cache,
        )

        def work() -> None:
            folder = cache_folder()
            if empty:
                print(visible(f"removed {empty_cache():,} bytes from {folder}"))
                return
            texts = cached_texts()
            for text in texts:
                used = time.strftime("%Y-%m-%d %H:%M", time.localtime(text.used))
                print(f"{text.size:15,} bytes  used {used}  SHA-256 {text.name}")
            size = sum(text.size for text in texts)
            print(visible(f"{size:15,} bytes of {len(texts)} texts in {folder}"))

        return exit_code("kerasseq cache", work, "run this again")

    @app.command("runner", rich_help_panel=devices)
    def runner(
        directory: Annotated[
            Path, typer.Argument(metavar="DIR", help="Folder, made if missing.")
        ],
    ) -> int:
        """Copy the programs below to a folder, for a machine without kerasseq."""
        from kerasseq.runner import copy_runner

        def work() -> None:
            copies = [path.name for path in copy_runner(directory)]
            program = shlex.quote((directory / "generate.py").as_posix())
            print(visible(f"copied to {directory}: {', '.join(copies)}"))
            print(visible(f"with numpy and ai-edge-litert: python {program}"))

        return exit_code("kerasseq runner", work, "run this again")
