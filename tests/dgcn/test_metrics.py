import math

import numpy as np
import pytest
import torch

from dgcn.metrics import Confusion
from dgcn.report import format_table


def scores_by_loops(target, prediction, classes):
    """IoU, precision, recall, accuracy and coverage from sets of pixel positions."""
    pixels = [(t, p) for t, p in zip(target, prediction, strict=True) if t != 255]
    iou, precision, recall = [], [], []
    for c in range(classes):
        truth = {i for i, (t, _) in enumerate(pixels) if t == c}
        guess = {i for i, (_, p) in enumerate(pixels) if p == c}
        both = len(truth & guess)
        iou.append(both / len(truth | guess) if truth | guess else math.nan)
        precision.append(both / len(guess) if guess else math.nan)
        recall.append(both / len(truth) if truth else math.nan)
    accuracy = sum(t == p for t, p in pixels) / len(pixels)
    coverage = sum(p != 255 for _, p in pixels) / len(pixels)
    return iou, precision, recall, accuracy, coverage


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("unlabelled", [False, True])
def test_scores_agree_with_loops_over_pixels(seed, unlabelled):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 7))
    values = [*range(classes), 255]
    target = rng.choice(values, 400)
    prediction = rng.choice(values if unlabelled else values[:-1], 400)
    confusion = Confusion(classes)
    for part in range(4):
        rows = slice(100 * part, 100 * part + 100)
        confusion.add(target[rows].reshape(10, 10), prediction[rows].reshape(10, 10))
    iou, precision, recall, accuracy, coverage = scores_by_loops(
        target.tolist(), prediction.tolist(), classes
    )
    np.testing.assert_allclose(confusion.iou(), iou)
    np.testing.assert_allclose(confusion.precision(), precision)
    np.testing.assert_allclose(confusion.recall(), recall)
    assert confusion.miou() == pytest.approx(sum(iou) / classes)
    assert confusion.pixel_accuracy() == pytest.approx(accuracy)
    assert confusion.coverage() == pytest.approx(coverage)
    assert unlabelled == (coverage < 1)


def test_absent_class_is_left_out_and_missed_class_counts_as_zero():
    confusion = Confusion(4)
    confusion.add([0, 0, 1, 1], [0, 0, 0, 2])
    np.testing.assert_allclose(confusion.iou(), [2 / 3, 0, 0, math.nan])
    assert confusion.miou() == pytest.approx((2 / 3) / 3)
    np.testing.assert_allclose(confusion.precision(), [2 / 3, math.nan, 0, math.nan])
    np.testing.assert_allclose(confusion.recall(), [1, 0, math.nan, math.nan])


def test_filled_has_background_where_there_was_no_label():
    rng = np.random.default_rng(11)
    target, prediction = rng.choice([0, 1, 2, 255], 300), rng.choice([0, 1, 2, 255], 300)
    partial, whole = Confusion(3), Confusion(3)
    partial.add(target, prediction)
    whole.add(target, np.where(prediction == 255, 0, prediction))
    np.testing.assert_array_equal(partial.filled().counts, whole.counts)
    assert partial.counts[:, -1].any()


def test_unlabelled_is_a_miss_but_no_false_alarm():
    confusion = Confusion(2)
    confusion.add([1, 1, 1, 1, 0], [1, 255, 255, 255, 255])
    np.testing.assert_allclose(confusion.iou(), [0, 0.25])
    np.testing.assert_allclose(confusion.precision(), [math.nan, 1])
    assert confusion.coverage() == pytest.approx(0.2)
    np.testing.assert_array_equal(confusion.counts, [[0, 0, 1], [0, 1, 3]])


def test_nothing_counted_is_not_a_number():
    confusion = Confusion(3)
    confusion.add(np.full((2, 2), 255), np.zeros((2, 2), int))
    assert math.isnan(confusion.miou())
    assert math.isnan(confusion.pixel_accuracy())
    assert math.isnan(confusion.coverage())


def test_counts_of_two_processes_add_up():
    rng = np.random.default_rng(3)
    target, prediction = rng.integers(0, 3, (2, 50))
    whole, first, second = Confusion(3), Confusion(3), Confusion(3)
    whole.add(target, prediction)
    first.add(target[:20], prediction[:20])
    second.add(torch.from_numpy(target[20:]), torch.from_numpy(prediction[20:]))
    first.add_counts(second.counts)
    np.testing.assert_array_equal(first.counts, whole.counts)


def test_uint8_masks_do_not_overflow():
    confusion = Confusion(200)
    confusion.add(np.full(7, 199, np.uint8), np.full(7, 198, np.uint8))
    assert confusion.counts[199, 198] == 7
    assert confusion.counts.sum() == 7


def test_errors_name_argument_value_and_position():
    confusion = Confusion(3)
    with pytest.raises(ValueError, match=r"target must hold class ids 0..2 or 255, got 3 at \(1,"):
        confusion.add([[0], [3]], [[0], [0]])
    with pytest.raises(ValueError, match=r"prediction .* got -1 at \(0,\)"):
        confusion.add([0], [-1])
    with pytest.raises(ValueError, match=r"prediction must have the target's shape \(2,\)"):
        confusion.add([0, 1], [0])
    with pytest.raises(TypeError, match="prediction must be an array of integers, got float64"):
        confusion.add([0], [0.5])
    with pytest.raises(ValueError, match=r"counts must have shape \(3, 4\), got \(3, 3\)"):
        confusion.add_counts(np.zeros((3, 3), int))
    with pytest.raises(ValueError, match=r"classes must be in 1\.\.255, got 0"):
        Confusion(0)
    assert confusion.counts.sum() == 0


def test_text_table_holds_percentages_and_means():
    confusion = Confusion(3)
    confusion.add([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 255])
    lines = format_table(confusion, ["background", "cat", "dog"]).splitlines()
    assert lines[0].split() == ["class", "IoU", "precision", "recall", "pixels"]
    assert lines[2].split() == ["background", "75.0", "100.0", "75.0", "4"]
    assert lines[3].split() == ["cat", "33.3", "50.0", "50.0", "2"]
    assert lines[4].split() == ["dog", "-", "-", "-", "0"]
    assert lines[6].split() == ["mean", "54.2", "75.0", "62.5", "6"]
    assert lines[7] == "pixel accuracy 66.7 %, coverage 83.3 %"
    assert len({len(line) for line in lines[:7]}) == 1
    more = {"boundary IoU": np.array([0.5, 0.25, math.nan])}
    lines = format_table(confusion, ["background", "cat", "dog"], more=more).splitlines()
    assert lines[3].split() == ["cat", "33.3", "50.0", "50.0", "25.0", "2"]
    assert lines[6].split() == ["mean", "54.2", "75.0", "62.5", "37.5", "6"]


def test_markdown_table_has_five_cells_a_row():
    confusion = Confusion(2)
    confusion.add([0, 1], [0, 1])
    text = format_table(confusion, ["background", "a|b"], markdown=True, decimals=0)
    lines = text.splitlines()
    assert lines[1] == "|---|---:|---:|---:|---:|"
    assert lines[3] == "| a\\|b | 100 | 100 | 100 | 1 |"
    assert lines[4] == "| **mean** | **100** | **100** | **100** | **2** |"
    assert lines[-1] == "Pixel accuracy 100 %."
    with pytest.raises(ValueError, match="classes must hold 2 names, got 1"):
        format_table(confusion, ["background"])
