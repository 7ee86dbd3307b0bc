"""Every bad argument of gx.segment is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import graphcut_ext as gx

NAN, INF = float("nan"), float("inf")
GREY = np.arange(30.0).reshape(5, 6)
SEEDS = np.zeros((5, 6), dtype=int)
SEEDS[0, 0], SEEDS[4, 5] = 1, 2


def with_entry(array: np.ndarray, position: tuple[int, ...], value: float) -> np.ndarray:
    array = array.copy()
    array[position] = value
    return array


ERRORS = {
    "nothing": ({"seeds": None}, ValueError, "seeds, box or probabilities must be given"),
    "NaN": ({"image": with_entry(GREY, (2, 3), NAN)}, ValueError, "image[2, 3, 0] is nan"),
    "complex": ({"image": GREY * 1j}, TypeError, "image must hold real numbers, not complex128"),
    "objects": ({"image": np.full((5, 6), None)}, TypeError, "image must hold real numbers"),
    "one axis": ({"image": GREY[0], "seeds": SEEDS[0]}, ValueError, "image must have 2 or 3 axes"),
    "no pixels": ({"image": GREY[:0], "seeds": SEEDS[:0]}, ValueError, "image must have pixels"),
    "another shape": (
        {"image": GREY[1:]},
        ValueError,
        "image has shape (4, 6), which does not fit pixels of shape (5, 6)",
    ),
    "channel axis": ({"channel_axis": 2}, ValueError, "channel_axis is 2, but image has 2 axes"),
    "channel word": ({"channel_axis": "last"}, ValueError, "channel_axis must be 'auto', None"),
    "channel type": ({"channel_axis": 0.5}, TypeError, "channel_axis must be 'auto', None"),
    "channels told wrongly": (
        {"image": np.zeros((5, 6, 3)), "channel_axis": None},
        ValueError,
        "seeds must have the shape of the pixels, (5, 6, 3), not (5, 6)",
    ),
    "seed 3": (
        {"seeds": with_entry(SEEDS, (1, 2), 3)},
        ValueError,
        "seeds[1, 2] is 3, but must be 0 unknown, 1 object or 2 background",
    ),
    "seed -1": ({"seeds": with_entry(SEEDS, (1, 2), -1)}, ValueError, "seeds[1, 2] is -1"),
    "float seeds": ({"seeds": SEEDS * 1.0}, TypeError, "seeds must hold integers, not float64"),
    "one mask": ({"seeds": SEEDS == 1}, TypeError, "seeds is one bool array; give two"),
    "three masks": ({"seeds": (SEEDS == 1,) * 3}, ValueError, "seeds must be a pair of masks"),
    "int masks": ({"seeds": (SEEDS, SEEDS)}, TypeError, "seeds[0] must be a bool mask, not int64"),
    "unlike masks": (
        {"seeds": (SEEDS == 1, SEEDS[1:] == 2)},
        ValueError,
        "seeds must be two masks of one shape, not (5, 6) and (4, 6)",
    ),
    "both": (
        {"seeds": (SEEDS >= 0, SEEDS == 2)},
        ValueError,
        "seeds[0][4, 5] is True, and so is seeds[1]",
    ),
    "no object": ({"seeds": 0 * SEEDS + 2}, ValueError, "seeds mark no object (no entry is 1)"),
    "no background": ({"seeds": SEEDS % 2}, ValueError, "seeds mark no background"),
    "box type": ({"box": (0.5, 0, 3, 3)}, TypeError, "box must be a sequence of 4 integers"),
    "box of 5": ({"box": (0, 0, 3, 3, 1)}, ValueError, "box must have 4 integers"),
    "box of 6": ({"box": (0, 0, 0, 3, 3, 1)}, ValueError, "box must have 4 integers for 2 axes"),
    "box beyond": ({"box": (0, 1, 3, 7)}, ValueError, "box goes from 1 to 7 along axis 1"),
    "box reversed": ({"box": (3, 1, 2, 4)}, ValueError, "box goes from 3 to 2 along axis 0"),
    "box of all": ({"box": (0, 0, 5, 6)}, ValueError, "box covers the whole image"),
    "probability": (
        {"probabilities": with_entry(np.zeros((5, 6)), (3, 1), 1.5)},
        ValueError,
        "probabilities[3, 1] is 1.5, not within 0 to 1",
    ),
    "NaN probability": (
        {"probabilities": with_entry(np.zeros((5, 6)), (3, 1), NAN)},
        ValueError,
        "probabilities[3, 1] is nan, not within 0 to 1",
    ),
    "probabilities' shape": (
        {"probabilities": np.zeros((5, 7))},
        ValueError,
        "probabilities must have the shape of the pixels, (5, 6), not (5, 7)",
    ),
    "connectivity": ({"connectivity": 6}, ValueError, "connectivity must be one of 4, 8 in 2"),
    "smoothness": ({"smoothness": -1}, ValueError, "smoothness must be within 0 to 1e+06, not -1"),
    "infinite": ({"smoothness": INF}, ValueError, "smoothness must be within 0 to 1e+06, not inf"),
    "smoothness' type": ({"smoothness": "a"}, TypeError, "smoothness must be a number, not str"),
    "sigma 0": ({"sigma": 0}, ValueError, "sigma must be positive, not 0"),
    "sigma NaN": ({"sigma": NAN}, ValueError, "sigma must be within 0 to inf, not nan"),
    "spacing's size": ({"spacing": (1, 1, 1)}, ValueError, "spacing must have one number for each"),
    "spacing 0": ({"spacing": (1, 0)}, ValueError, "spacing[1] is 0.0, not positive and finite"),
    "spacing huge": ({"spacing": (1, 1e9)}, ValueError, "spacing[1] is 1000000000.0, times the"),
    "components": ({"components": 0}, ValueError, "components must be at least 1, not 0"),
    "iterations": ({"iterations": 0}, ValueError, "iterations must be at least 1, not 0"),
    "threads": ({"num_threads": 0}, ValueError, "num_threads must be at least 1, not 0"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_refused(case):
    changes, error, message = ERRORS[case]
    with pytest.raises(error, match=re.escape(message)):
        gx.segment(**({"image": GREY, "seeds": SEEDS} | changes))


def test_updates_that_are_refused_change_nothing():
    found = gx.segment(GREY, SEEDS)
    with pytest.raises(ValueError, match=re.escape("seeds must have the shape of the pixels")):
        found.update(SEEDS[1:])
    with pytest.raises(ValueError, match=re.escape("seeds[0, 0] is 7")):
        found.update(with_entry(SEEDS, (0, 0), 7))
    np.testing.assert_array_equal(found.update(SEEDS).mask, found.mask)
    known = gx.segment(torch.from_numpy(GREY), probabilities=np.full((5, 6), 0.5))
    with pytest.raises(ValueError, match="refit learns colours, but probabilities were given"):
        known.update(SEEDS, refit=True)
