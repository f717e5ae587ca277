"""The files of the page with models beside it, and the list of them that it reads."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

if __package__:
    from .archive import open_regular
else:  # copied: beside one another
    from archive import open_regular  # type: ignore[no-redef]

LIST = "models.json"


def list_files(dist: Path, models: Sequence[Path]) -> dict[str, Path | bytes]:
    """The files of a page that has models beside it.

    The page reads the list in `models.json`: `version`, a hash of all that follows, the
    paths in `files`, and in `models` the path and the size in bytes of each.

    Args:
        dist: the folder of the built page.
        models: files of any names.

    Returns:
        Files and contents by their paths from the page, as they stand in an address.

    Raises:
        OSError: a file cannot be read.
        KeyError: the folder has no page of this version.
    """
    files: dict[str, Path | bytes] = {path.name: path for path in dist.iterdir()}
    listing = json.loads(Path(str(files[LIST])).read_text(encoding="utf-8"))
    version = hashlib.sha256(listing["version"].encode())
    for index, model in enumerate(models):
        name = quote(os.fsencode(model.name), safe="")
        path = f"model/{name}"
        if path in files:
            path = f"model/{index}/{name}"
        files[path] = model
        with open_regular(model) as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        version.update(f"{path} {digest}\n".encode())
        listing["models"].append({"path": path, "size": size})
    listing["version"] = version.hexdigest()
    files[LIST] = json.dumps(listing, indent=1).encode() + b"\n"
    return files
