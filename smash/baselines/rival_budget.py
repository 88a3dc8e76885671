"""Ends the training of a preset of Seahorse once its processor seconds are spent."""

import time
from typing import Any


def ending_after(seconds: float) -> Any:
    """Returns a callback of Lightning that asks a training to stop after `seconds` of processor.

    The batch under way is finished and the validation data are looked at once more, so that the
    best epoch is chosen among what there was.
    """
    from pytorch_lightning import Callback

    class CpuBudget(Callback):
        """Stops a training by the clock of the process."""

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            self.end = time.process_time() + seconds

        def on_train_batch_end(self, trainer: Any, *batch: Any) -> None:
            if time.process_time() >= self.end:
                trainer.should_stop = True

    return CpuBudget()
