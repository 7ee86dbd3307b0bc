"""What a segmentation gives, and how it goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._segment.image import Floats
from graphcut_ext._segment.seeds import read_seeds

if TYPE_CHECKING:
    from graphcut_ext._segment.problem import Problem

ArrayT = TypeVar("ArrayT", NDArray[Any], Tensor)


@dataclass(frozen=True, eq=False)
class Segmentation(Generic[ArrayT]):
    """What :func:`segment` returns; tensors if the image is one, else NumPy arrays.

    Attributes
    ----------
    mask : bool, shape of the pixels
        True where the object is.
    value : float
        Energy of the cut. Seeds have no costs of their own in it.
    probabilities : float32, shape of the pixels
        Of the object, by colour alone or as they were given.
    """

    mask: ArrayT
    value: float
    probabilities: ArrayT
    _problem: Problem = field(repr=False)
    _known: Floats = field(repr=False)  # the probabilities on the host, which nobody writes to

    def update(self, seeds: Any, *, refit: bool = False) -> Segmentation[ArrayT]:
        """Segment the same image by other seeds, going on from the last cut.

        Parameters
        ----------
        seeds
            All seeds, those from before too, as in :func:`segment`. What is no longer marked is
            unknown again. A box stays as it was.
        refit : bool, default False
            Whether colours are learnt again, from these seeds, with the ``iterations`` of the first
            call. Otherwise the probabilities stay, and a few more strokes cost little.

        Returns
        -------
        Segmentation
            A new one: the same as :func:`segment` gives with these seeds and
            ``probabilities=self.probabilities``. This one remains as it is.

        Raises
        ------
        TypeError, ValueError
            As in :func:`segment`; ``refit`` where probabilities were given.
        """
        return self._problem.updated(self._known, read_seeds(seeds), refit)
