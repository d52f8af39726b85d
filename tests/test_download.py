"""Downloads against a server of the test's own: resumed, checked, never outside the folder."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from cohort_db.errors import InputMistake
from lemof_core.jobs.download import DATASETS, download

FILES = {"hosp/patients.csv.gz": b"p" * 5000, "LICENSE.txt": b"open"}


class Published(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, str | None]]] = []
    files: ClassVar[dict[str, bytes]] = FILES
    sums: ClassVar[dict[str, bytes]] = dict(FILES)

    def do_GET(self) -> None:
        name = self.path.split("/", 3)[3]
        asked = self.headers.get("Range")
        type(self).asked.append((name, asked))
        if name == "SHA256SUMS.txt":
            body = "".join(f"{hashlib.sha256(v).hexdigest()}  {k}\n" for k, v in self.sums.items()).encode()
        else:
            body = self.files[name]
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.end_headers()
        self.wfile.write(body[start:])

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    Published.asked, Published.files, Published.sums = [], FILES, dict(FILES)
    with ThreadingHTTPServer(("127.0.0.1", 0), Published) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_every_file_comes_once_and_matches(server: str, tmp_path: Path) -> None:
    first = download("mimic-iv-demo", tmp_path, base_url=server)
    assert first["fetched"] == 2 * len(FILES)
    for source in DATASETS["mimic-iv-demo"]:
        for name, content in FILES.items():
            assert (tmp_path / source.folder / name).read_bytes() == content
    assert download("mimic-iv-demo", tmp_path, base_url=server) == first | {
        "fetched": 0,
        "already_there": 2 * len(FILES),
    }


def test_a_broken_download_is_continued_not_restarted(server: str, tmp_path: Path) -> None:
    part = tmp_path / "ehr" / "hosp" / "patients.csv.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(FILES["hosp/patients.csv.gz"][:3000])
    download("mimic-iv-demo", tmp_path, base_url=server)
    assert ("hosp/patients.csv.gz", "bytes=3000-") in Published.asked
    assert (tmp_path / "ehr" / "hosp" / "patients.csv.gz").read_bytes() == FILES["hosp/patients.csv.gz"]


def test_a_wrong_file_is_thrown_away_and_named(server: str, tmp_path: Path) -> None:
    Published.files = FILES | {"LICENSE.txt": b"other"}
    with pytest.raises(InputMistake, match=r"LICENSE\.txt does not match"):
        download("mimic-iv-demo", tmp_path, base_url=server)
    assert not list(tmp_path.rglob("LICENSE.txt*"))


def test_paths_that_leave_the_folder_are_refused(server: str, tmp_path: Path) -> None:
    Published.sums = {"../outside.txt": b"x"}
    with pytest.raises(InputMistake, match="cannot be used"):
        download("mimic-iv-demo", tmp_path, base_url=server)


def test_an_unknown_dataset_and_a_dead_server_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputMistake, match="mimic-iv-demo"):
        download("mimic-iii", tmp_path)
    with pytest.raises(InputMistake, match="cannot be reached"):
        download("mimic-iv-demo", tmp_path, base_url="http://127.0.0.1:9")
