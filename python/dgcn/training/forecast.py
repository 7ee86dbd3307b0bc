"""How long a run still takes, from the pace that it has shown so far."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Forecast", "duration"]

_COSTS = {
    "classifier": 1.0,
    "cues": 1.5,
    "segmenter": 3.0,
    "prediction": 1.5,
    "training masks": 1.5,
    "retraining": 1.5,
    "second prediction": 1.5,
}
"""Time for an image of each stage, in units of the classifier's; guessed from runs on a CPU."""

_NAMES = {"segmenter": "segmentation network"}


class Forecast:
    """What is left of a run, stage by stage.

    Parameters
    ----------
    images : mapping from str to float, optional
        Images that each stage has to go through, epochs and scales counted, in order. A stage that
        is not in it is forecast alone, when its pace is known.
    """

    def __init__(self, images: Mapping[str, float] | None = None) -> None:
        self._images = {name: amount for name, amount in (images or {}).items() if amount > 0}
        self._seconds: dict[str, float] = {}  # for an image, of the stages that were measured
        self._now = ""

    def begin(self, stage: str) -> str:
        """A stage begins: those before it are done. What is left in words, "" where unknown."""
        if stage in self._images:
            names = list(self._images)
            for name in names[: names.index(stage)]:
                del self._images[name]
        self._now = stage
        return self.sentence()

    def pace(self, images: float, seconds: float) -> str:
        """The stage has `images` left, each takes so long. What is left in words."""
        self._images = {self._now: images, **self._images, self._now: images}
        self._seconds[self._now] = seconds
        return self.sentence()

    def left(self) -> dict[str, float]:
        """Seconds that are left of every stage; empty where no stage was measured yet."""
        if not self._seconds:
            return {}
        last = next(reversed(self._seconds))
        unit = self._seconds[last] / _COSTS.get(last, 1.0)
        return {
            name: amount * self._seconds.get(name, unit * _COSTS.get(name, 1.0))
            for name, amount in self._images.items()
        }

    def sentence(self) -> str:
        """About how long it takes; "" where that is unknown, or less than a minute."""
        left = self.left()
        whole = sum(left.values())
        if whole < 60:
            return ""
        parts = [
            f"{_NAMES.get(name, name)} {duration(seconds)}"
            for name, seconds in left.items()
            if seconds >= 1
        ]
        listed = f": {', '.join(parts)}" if len(parts) > 1 else ""
        return f"about {duration(whole)} left{listed}"


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        # To five minutes: it is an estimate.
        minutes = 5 * round(minutes / 5)
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
