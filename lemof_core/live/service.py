"""The service's near side: it starts the worker, asks one question at a time, and gives up after a while."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from lemof_core.errors import ModelMistake
from lemof_core.live.case import (
    LiveBase,
    LiveCase,
    LiveChanges,
    LiveResult,
    case_message,
    pack,
    read_result,
    unpack,
)
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
        document, arrays = self._answer(case_message("predict", case, str(run_folder)))
        return read_result(document, arrays)

    def counterfactual(self, case: LiveCase, run_folder: Path, threshold: float) -> LiveChanges:
        """Return the smallest change found that carries the case across the threshold (probability)."""
        message = case_message("counterfactual", case, str(run_folder), threshold=threshold)
        return LiveChanges(**self._answer(message)[0])

    def ranges(self, run_folder: Path) -> dict[str, tuple[float, float]]:
        """Return series variable -> (lowest, highest) value observed among the run's training patients."""
        document, _ = self._answer(case_message("ranges", LiveCase(), str(run_folder)))
        return {name: (low, high) for name, (low, high) in document.items()}

    def rebase(self, run_folder: Path, path: str, ports: np.ndarray, background: np.ndarray) -> LiveBase:
        """Return the case waterfall of ports (P,) against another background (M, P), both in the path's order."""
        arrays = {"ports": np.asarray(ports, float), "background": np.asarray(background, float)}
        document = {"verb": "rebase", "run_folder": str(run_folder), "path": path}
        return LiveBase(**self._answer(pack(document, arrays))[0])

    def _answer(self, message: bytes) -> tuple[Any, dict[str, np.ndarray]]:
        """Return what the worker says to a request, one question at a time."""
        if not self._turn.acquire(timeout=self.timeout_s):
            raise LiveTimeout("the prediction service is busy; try again in a minute")
        try:
            document, arrays = unpack(self._ask(message))
        finally:
            self._turn.release()
        if "mistake" in document:
            raise ModelMistake(document["mistake"])
        return document["ok"], arrays

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
