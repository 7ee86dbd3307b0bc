"""Errors for the trainer: losses, scores, prediction, training; see mutants.py."""

from __future__ import annotations

from mutant import Mutant

D, T = "python/dgcn/", "tests/dgcn/"

LOSSES = [
    Mutant(
        "the floored softmax does not sum to 1",
        f"{D}losses.py",
        " / (1 + logits.shape[1] * floor)",
        "",
        f"{T}test_losses.py",
    ),
    Mutant(
        "the foreground's mean counts the background's cells",
        f"{D}losses.py",
        "supervision[:, 1:].sum((1, 2, 3))",
        "supervision.sum((1, 2, 3))",
        f"{T}test_losses.py",
    ),
    Mutant(
        "images are added up in the seeding loss",
        f"{D}losses.py",
        "(foreground + background).mean()",
        "(foreground + background).sum()",
        f"{T}test_losses.py",
    ),
    Mutant(
        "the boundary loss is not clipped",
        f"{D}losses.py",
        ".clamp(*RATIO_RANGE)",
        "",
        f"{T}test_losses.py",
    ),
    Mutant(
        "the boundary loss has a gradient in the CRF",
        f"{D}losses.py",
        "crf_marginals.detach()",
        "crf_marginals",
        f"{T}test_losses.py",
    ),
    Mutant(
        "the boundary loss weighs by the network",
        f"{D}losses.py",
        "(q * (q / p)",
        "(p * (q / p)",
        f"{T}test_losses.py",
    ),
    Mutant(
        "cells without a label count as background in retraining",
        f"{D}training/objective.py",
        "masked_fill(~labels.any(1), VOID)",
        "masked_fill(~labels.any(1), 0)",
        f"{T}test_step.py",
    ),
    Mutant(
        "the boundary loss's weight is left out",
        f"{D}training/objective.py",
        "self.boundary_weight * boundary_loss(",
        "boundary_loss(",
        f"{T}test_background.py::test_boundary_loss_is_multiplied_by_its_weight",
    ),
    Mutant(
        "the clean pass is made and not used",
        f"{D}training/objective.py",
        "seen.softmax(1), features",
        "logits.softmax(1), features",
        f"{T}test_background.py::test_clean_pass_is_what_the_supervision_goes_by",
    ),
    Mutant(
        "the teacher forgets instead of remembering",
        f"{D}training/teacher.py",
        "mean.lerp_(theirs[name], 1 - keep)",
        "mean.lerp_(theirs[name], keep)",
        f"{T}test_teacher.py::test_the_average_is_the_one_of_the_formula",
    ),
    Mutant(
        "mirrored images count as the image itself",
        f"{D}training/frozen.py",
        "self._features(key if self._repeats else None",
        "self._features(key[0] if self._repeats else None",
        f"{T}test_frozen_backbone.py",
    ),
    Mutant(
        "cues stay where the image's window moves",
        f"{D}data/batches.py",
        "grid = cut_cues(grid, window, self.size)",
        "grid = self._cues[record.name]",
        f"{T}test_batches.py::test_cues_go_with_the_window_of_the_image",
    ),
]

METRICS = [
    Mutant(
        "void is looked for in the prediction",
        f"{D}metrics.py",
        "known = truth != VOID",
        "known = guess != VOID",
        f"{T}test_metrics.py",
    ),
    Mutant(
        "no label counts as background",
        f"{D}metrics.py",
        "np.where(guess == VOID, self.classes, guess)",
        "np.where(guess == VOID, 0, guess)",
        f"{T}test_metrics.py",
    ),
    Mutant(
        "a union counts hits twice",
        f"{D}metrics.py",
        "self._predicted() - hits)",
        "self._predicted())",
        f"{T}test_metrics.py",
    ),
    Mutant(
        "classes that never occur have the score 0",
        f"{D}metrics.py",
        "np.full(part.shape, np.nan)",
        "np.zeros(part.shape)",
        f"{T}test_metrics.py",
    ),
    Mutant(
        "precision is recall",
        f"{D}metrics.py",
        "_ratio(self._hits(), self._predicted())",
        "_ratio(self._hits(), self._counts.sum(axis=1))",
        f"{T}test_metrics.py",
    ),
    Mutant(
        "void bounds an object",
        f"{D}boundary.py",
        "mask if void is None else mask | void",
        "mask",
        f"{T}test_boundary.py",
    ),
    Mutant(
        "boundaries are counted within void",
        f"{D}boundary.py",
        "near if void is None else near & ~void",
        "near",
        f"{T}test_boundary.py",
    ),
    Mutant(
        "a boundary's width is counted in four directions",
        f"{D}boundary.py",
        'metric="chessboard"',
        'metric="taxicab"',
        f"{T}test_boundary.py",
    ),
    Mutant(
        "of two pixels that are equally near a cell the earlier one is taken",
        f"{D}data/masks.py",
        "(2 * index * (length - 1) + (cells - 1)) //",
        "(2 * index * (length - 1) + (cells - 2)) //",
        f"{T}test_images.py",
    ),
]

PREDICTION = [
    Mutant(
        "widths of the CRF on the grid are those of the image",
        f"{D}crf.py",
        "bilateral_xy=self.bilateral_xy / scale",
        "bilateral_xy=self.bilateral_xy",
        f"{T}test_crf.py",
    ),
    Mutant(
        "images and grids do not share corners",
        f"{D}crf.py",
        "align_corners=True",
        "align_corners=False",
        f"{T}test_crf.py",
    ),
    Mutant(
        "prediction without its CRF",
        f"{D}models/inference.py",
        "return probabilities if crf is None else dense_crf(probabilities, image, crf)",
        "return probabilities",
        f"{T}test_retrain.py::test_retrained_network_is_another_and_is_what_is_predicted_with",
    ),
    Mutant(
        "a loaded model leaves its CRF out",
        f"{D}model.py",
        "crf = self.settings.crf if options.crf else None",
        "crf = None",
        f"{T}test_face.py::test_probabilities_are_refined_by_the_crf_of_the_settings",
    ),
    Mutant(
        "the masks of a run are made without the CRF",
        f"{D}pipeline/networks.py",
        "crf=self.run.config.crf if options.crf else None",
        "crf=None",
        f"{T}test_retrain.py::test_retrained_network_is_another_and_is_what_is_predicted_with",
    ),
    Mutant(
        "scales are not summed",
        f"{D}models/inference.py",
        "full if total is None else total.add_(full)",
        "full",
        f"{T}test_pipeline.py::test_logits_of_scales_are_summed_at_image_size",
    ),
    Mutant(
        "the classifier's share is not multiplied",
        f"{D}models/inference.py",
        "found = shares * torch.cat([scores.new_ones(1), scores])[:, None, None]",
        "found = shares * 1",
        f"{T}test_classifier_at_test.py",
    ),
]

TRAINING = [
    Mutant(
        "the first of equal best scores is kept",
        f"{D}training/loop.py",
        'figures["score"] >= max(',
        'figures["score"] > max(',
        f"{T}test_best.py",
    ),
    Mutant(
        "the rate starts at 0",
        f"{D}training/optimizer.py",
        "factor *= (step + 1) / options.warmup_steps",
        "factor *= step / options.warmup_steps",
        f"{T}test_optimizer.py::test_rate_of_the_step_schedule",
    ),
    Mutant(
        "a resumed training forgets its momentum",
        f"{D}training/loop.py",
        "optimizer.load_state_dict(last.optimizer)",
        "pass",
        f"{T}test_resume.py::test_killed_training_equals_an_uninterrupted_one",
    ),
    Mutant(
        "another training's checkpoint is resumed",
        f"{D}training/loop.py",
        "theirs == ours and begun",
        "begun",
        f"{T}test_pipeline.py::test_changed_setting_is_named_and_its_stage_made_anew "
        f"{T}test_stages.py::test_training_on_other_cues_than_the_settings_name_is_not_kept",
    ),
    Mutant(
        "every step draws the same numbers",
        f"{D}training/fabric.py",
        "[seed, epoch, step, fabric.global_rank]",
        "[seed, epoch, fabric.global_rank]",
        f"{T}test_fabric.py::test_random_state_of_a_step_depends_on_seed_epoch_and_step_alone",
    ),
    Mutant(
        "checksums of checkpoints are not looked at",
        f"{D}training/checkpoint.py",
        "        _check_sums(path)\n",
        "",
        f"{T}test_checkpoint.py",
    ),
    Mutant(
        "a file's content is not on the disk before its name",
        f"{D}atomic.py",
        "            os.fsync(file.fileno())\n",
        "",
        f"{T}test_checkpoint.py",
    ),
    Mutant(
        "temporary files are named by the process alone",
        f"{D}atomic.py",
        "{uuid.uuid4().hex}",
        "{os.getpid():032x}",
        f"{T}test_checkpoint.py",
    ),
    Mutant(
        "parts of a checkpoint are not looked at",
        f"{D}training/checkpoint.py",
        "    _check_parts(path, content)\n    return",
        "    return",
        f"{T}test_checkpoint.py",
    ),
    Mutant(
        "sparse weights are read",
        f"{D}models/weights.py",
        "value.layout != torch.strided or",
        "False or",
        f"{T}test_weights.py",
    ),
    Mutant(
        "a process that has lost another ends in a traceback",
        f"{D}training/fabric.py",
        "any(t in str(error) for t in told)",
        "False",
        f"{T}test_manners.py::test_process_that_ends_is_one_line_of_the_others",
    ),
    Mutant(
        "the doctor shows names as they are",
        f"{D}doctor/examination.py",
        "printable_lines(finding.what), printable_lines(finding.fix)",
        "finding.what, finding.fix",
        f"{T}test_manners.py::test_names_of_folders_do_not_command_the_terminal",
    ),
    Mutant(
        "a class may be a formula",
        f"{D}data/lists.py",
        "    if name[0] in _COMPUTED:\n        raise",
        "    if False:\n        raise",
        f"{T}test_coco.py {T}test_tables.py",
    ),
    Mutant(
        "two categories may become one class",
        f"{D}data/coco.py",
        "        if name in names:\n",
        "        if False:\n",
        f"{T}test_coco.py",
    ),
    Mutant(
        "what a failed write leaves stays",
        f"{D}atomic.py",
        "partial.unlink(missing_ok=True)",
        "pass",
        f"{T}test_checkpoint.py",
    ),
    Mutant(
        "pickles may nest as deep as they like",
        f"{D}data/pickle_scan.py",
        "if depth > DEEPEST:",
        "if False:",
        f"{T}test_pickle_scan.py",
    ),
    Mutant(
        "a pickle's memo may be of any size",
        f"{D}data/pickle_scan.py",
        "0 <= number <= count",
        "0 <= number",
        f"{T}test_pickle_scan.py",
    ),
]

DGCN = [*LOSSES, *METRICS, *PREDICTION, *TRAINING]
