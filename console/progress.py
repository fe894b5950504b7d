"""Progress bars on stderr, so that stdout holds nothing but the answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

REDRAWS_PER_BAR = 200  # more would cost more than the work that they show

Report = Callable[[int, int], None]


@contextmanager
def bars(*names: str) -> Iterator[list[Report]]:
    """One report function `(done, total)` per name; its bar appears with the first report, so a refusal stands alone."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    try:
        yield [_report(progress, name) for name in names]
    finally:
        if progress.live.is_started:
            progress.stop()


def _report(progress: "Progress", name: str) -> Report:
    task = progress.add_task(name, total=None, visible=False)
    shown = 0

    def report(done: int, total: int) -> None:
        nonlocal shown
        step = max(total // REDRAWS_PER_BAR, 1)
        if done >= total or done >= shown + step or shown == 0:
            shown = done
            progress.update(task, completed=done, total=max(total, 1), visible=True)
            progress.start()

    return report
