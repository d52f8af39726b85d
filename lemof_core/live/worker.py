"""The worker process: requests on stdin, answers on stdout, one at a time, each a length and a message."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from pathlib import Path

from lemof_core.live.pipe import read_message, write_message

N_THREADS = 1  # as for the stored predictions
KEPT_MODELS = 2


def main() -> None:
    """Answer until stdin closes."""
    # Whatever a library prints must not land between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    import torch

    from lemof_core.checkpoint import load_model, read_document
    from lemof_core.errors import ModelMistake
    from lemof_core.live.answers import ANSWERS
    from lemof_core.live.case import pack, unpack
    from lemof_core.live.predict import LiveModel

    torch.set_num_threads(N_THREADS)
    models: OrderedDict[str, LiveModel] = OrderedDict()
    while (message := read_message(sys.stdin.buffer)) is not None:
        document, arrays = unpack(message)
        try:
            folder = document["run_folder"]
            if folder not in models:
                data = read_document(Path(folder))["extra"]["data"]
                models[folder] = LiveModel(load_model(Path(folder)), data["variables"], data["t0_hours"])
                if len(models) > KEPT_MODELS:
                    models.popitem(last=False)
            found, numbers = ANSWERS[document["verb"]](models[folder], document, arrays)
            write_message(answers, pack({"ok": found}, numbers))
        except ModelMistake as mistake:
            write_message(answers, pack({"mistake": str(mistake)}, {}))


if __name__ == "__main__":
    main()
