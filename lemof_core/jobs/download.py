"""`lemof download mimic-iv-demo`: the open MIMIC-IV and MIMIC-IV-ECG demos from PhysioNet. Resumable, checksummed."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from cohort_db.errors import InputMistake
from lemof_core.jobs.progress import Report, quiet

PHYSIONET = "https://physionet.org/files"
SUMS = "SHA256SUMS.txt"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A published folder: its path on the server, and the folder it becomes here."""

    path: str
    folder: str


DATASETS = {
    "mimic-iv-demo": (Source("mimic-iv-demo/2.2", "ehr"), Source("mimic-iv-ecg-demo/0.1", "ecg")),
}


def download(name: str, out: Path, *, base_url: str = PHYSIONET, progress: Report = quiet) -> dict[str, Any]:
    """Leave every file of the dataset in `out`, each equal to its published SHA-256; return counts.

    Files that are there and right are not fetched again; a part of a file is continued. Raises InputMistake where the
    server cannot be reached or a file does not match its checksum.
    """
    if name not in DATASETS:
        raise InputMistake(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}")
    fetched = kept = 0
    for source in DATASETS[name]:
        url, folder = f"{base_url}/{source.path}", out / source.folder
        sums = _checksums(f"{url}/{SUMS}")
        missing = [(path, digest) for path, digest in sums.items() if _digest(folder / path) != digest]
        kept += len(sums) - len(missing)
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(_fetch, f"{url}/{quote(path)}", folder / path, digest) for path, digest in missing]
            for done, job in enumerate(jobs):
                job.result()
                progress(source.folder, done + 1, len(jobs))
        fetched += len(missing)
    return {"out": str(out), "fetched": fetched, "already_there": kept}


def _checksums(url: str) -> dict[str, str]:
    """Return path -> SHA-256 as the publisher lists them; paths that would leave the folder are refused."""
    with _opened(Request(url)) as answer:
        lines = answer.read().decode().splitlines()
    sums = {path.strip(): digest for digest, _, path in (line.partition(" ") for line in lines if line.strip())}
    outside = [path for path in sums if path.startswith("/") or ".." in Path(path).parts]
    if outside or not sums:
        raise InputMistake(f"the list of checksums at {url} cannot be used: {outside[:1] or 'it is empty'}")
    return sums


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetch(url: str, target: Path, digest: str) -> None:
    """Leave the file at `target`, whole and checked; what had come before a break is kept and continued."""
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    # A server that ignores the range answers 200 with the whole file: then it starts anew.
    with _opened(request) as answer, part.open("ab" if have and answer.status == 206 else "wb") as stream:
        while block := answer.read(BLOCK):
            stream.write(block)
    if _digest(part) != digest:
        part.unlink()
        raise InputMistake(f"{url} does not match its published checksum; run the same command again")
    os.replace(part, target)


def _opened(request: Request) -> Any:
    try:
        return urlopen(request, timeout=60)
    except HTTPError as error:
        raise InputMistake(f"{request.full_url} answered {error.code} {error.reason}; try again later") from error
    except (URLError, TimeoutError) as error:
        raise InputMistake(f"{request.full_url} cannot be reached ({error}); is this machine online?") from error
