"""Predictions on request: one service in a worker process of its own, asked by pages and scripts.

Nothing here imports torch: the worker does, so that a forward pass never stalls the server's other users.
"""

from lemof_core.live.case import LiveBase, LiveCase, LiveChanges, LiveResult
from lemof_core.live.service import LiveService, LiveTimeout
from lemof_core.run_folder import run_folder

__all__ = ["LiveBase", "LiveCase", "LiveChanges", "LiveResult", "LiveService", "LiveTimeout", "run_folder"]
