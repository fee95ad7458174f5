"""Training loops: plans, progress, checkpoints, interruption and loss curves."""

from lazygrad.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lazygrad.train.history import History
from lazygrad.train.interrupt import Interrupt
from lazygrad.train.plan import TrainingPlan
from lazygrad.train.plot import plot_curves
from lazygrad.train.progress import Progress, progress
from lazygrad.train.trainer import Trainer

__all__ = [
    "Checkpoint",
    "History",
    "Interrupt",
    "Progress",
    "Trainer",
    "TrainingPlan",
    "plot_curves",
    "progress",
    "read_checkpoint",
    "write_checkpoint",
]
