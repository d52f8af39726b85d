"""The service's near side: it starts the worker, asks one question at a time, and gives up after a while."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from lemof_core.errors import ModelMistake
from lemof_core.live.case import LiveCase, LiveResult, case_message, read_result, unpack
from lemof_core.live.pipe import read_message, write_message


class LiveTimeout(ModelMistake):
    """The worker did not answer in time; it was stopped and will start anew."""


class LiveService:
    """One worker process behind a queue. Safe to share between threads; `close` ends the worker."""

    def __init__(self, *, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self._turn = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None

    def predict(self, case: LiveCase, run_folder: Path) -> LiveResult:
        """Return prediction and explanation; raise ModelMistake with one sentence for what cannot be predicted."""
        if not self._turn.acquire(timeout=self.timeout_s):
            raise LiveTimeout("the prediction service is busy; try again in a minute")
        try:
            document, arrays = unpack(self._ask(case_message(case, str(run_folder))))
        finally:
            self._turn.release()
        if "mistake" in document:
            raise ModelMistake(document["mistake"])
        return read_result(document["ok"], arrays)

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            self._worker = None

    def _ask(self, message: bytes) -> bytes:
        worker = self._running()
        answer: dict[str, Any] = {}

        def exchange() -> None:
            try:
                if worker.stdin is None or worker.stdout is None:
                    raise OSError("the worker has no pipes")
                write_message(worker.stdin, message)
                answer["message"] = read_message(worker.stdout)
            except OSError as error:
                answer["error"] = error

        thread = threading.Thread(target=exchange, daemon=True)
        thread.start()
        thread.join(self.timeout_s)
        if thread.is_alive():
            self.close()
            raise LiveTimeout(f"the prediction took longer than {self.timeout_s:g} s and was stopped; try again")
        found = answer.get("message")
        if not found:
            self.close()
            raise ModelMistake(
                "the prediction service stopped unexpectedly; try again, and see the server's log if it stays"
            )
        return bytes(found)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            command = [sys.executable, "-m", "lemof_core.live.worker"]
            self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._worker
