"""Errors for the Python packages; see mutants.py."""

from __future__ import annotations

from mutants import Mutant

D, S, T = "python/dgcn/", "python/dgcn/supervision/", "tests/dgcn/"
G, GT = "graphcut_ext/", "tests/graphcut_ext/"

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
        f"{D}data/images.py",
        "(2 * index * (length - 1) + (cells - 1)) //",
        "(2 * index * (length - 1) + (cells - 2)) //",
        f"{T}test_images.py",
    ),
]

SUPERVISION = [
    Mutant(
        "theta itself is enough for a cut's label",
        f"{S}graph_cut.py",
        "(p > self.theta)",
        "(p >= self.theta)",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "theta is not asked",
        f"{S}graph_cut.py",
        "cut.source_side & (p > self.theta)",
        "cut.source_side",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "the cut is not asked",
        f"{S}graph_cut.py",
        "cut.source_side & (p > self.theta)",
        "(p > self.theta)",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "cues of the background do not hold",
        f"{S}graph_cut.py",
        "cues.any(1).flatten(1)",
        "cues[:, 1:].any(1).flatten(1)",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "t-links are natural logarithms",
        f"{S}graph_cut.py",
        "-torch.log10((1 - p)",
        "-torch.log((1 - p)",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "cues of other classes are not tied to the sink",
        f"{S}graph_cut.py",
        "torch.where(of_other, held, torch.where(of_class, zero, sink))",
        "torch.where(of_class, zero, sink)",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "cues are lost where nothing is accepted",
        f"{S}graph_cut.py",
        "torch.where(accepted, grown, cues.flatten(2))",
        "(accepted & grown)",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "hard cues look at outgoing edges alone",
        f"{S}feature_graph.py",
        "sums.scatter_add_(1, indices.clamp(min=0).flatten(1), weights.flatten(1))",
        "pass",
        f"{T}test_supervision.py",
    ),
    Mutant(
        "edge_sum is the weight of each edge",
        f"{S}feature_graph.py",
        "(self.edge_sum / self.k)",
        "self.edge_sum",
        f"{T}test_schedules.py::test_unit_weights_of_a_cell_add_up_to_edge_sum_for_every_k",
    ),
    Mutant(
        "one diagonal of the grid is listed twice",
        f"{S}feature_graph.py",
        "(1, 1), (1, -1))",
        "(1, 1), (1, 1))",
        f"{T}test_joint_cut.py",
    ),
    Mutant(
        "probabilities among the image's labels are not divided by their sum",
        f"{S}probabilities.py",
        "possible / possible.sum(1, keepdim=True).clamp_min(FLOOR)",
        "possible",
        f"{T}test_supervision.py {T}test_most_probable.py",
    ),
    Mutant(
        "the network overrules cues",
        f"{S}most_probable.py",
        "torch.where(cues.any(1, keepdim=True), cues, guessed)",
        "torch.where(guessed.any(1, keepdim=True), guessed, cues)",
        f"{T}test_most_probable.py",
    ),
    Mutant(
        "regions grow in four directions",
        f"{S}region_growing.py",
        "np.ones((3, 3))",
        "np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])",
        f"{T}test_region_growing.py",
    ),
    Mutant(
        "the two thresholds of region growing are swapped",
        f"{S}region_growing.py",
        "label == 0, self.background, self.foreground",
        "label != 0, self.background, self.foreground",
        f"{T}test_region_growing.py",
    ),
    Mutant(
        "a joint cut pays for the cue's own class",
        f"{S}joint_cut.py",
        "torch.where(cues, torch.zeros_like(costs), cue_capacity)",
        "torch.where(cues, cue_capacity, torch.zeros_like(costs))",
        f"{T}test_joint_cut.py",
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
        "shares = shares * image_scores(classifier, image, size)[:, None, None]",
        "shares = shares * 1",
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
        f"{D}training/loop.py",
        "factor *= (step + 1) / options.warmup_steps",
        "factor *= step / options.warmup_steps",
        f"{T}test_pipeline.py::test_rate_of_the_step_schedule",
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
        f"{T}test_pipeline.py::test_random_state_of_a_step_depends_on_seed_epoch_and_step_alone",
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

OPERATORS = [
    Mutant(
        "a seed's tie is weaker than its edges",
        f"{G}_segment/kept_cut.py",
        "bound = 2.0 * smoothness",
        "bound = 0.2 * smoothness",
        f"{GT}segment tests/properties/test_segment_properties.py",
    ),
    Mutant(
        "a box overrules seeds",
        f"{G}_segment/problem.py",
        "self.outside & (seeds == UNKNOWN)",
        "self.outside",
        f"{GT}segment",
    ),
    Mutant(
        "contrast counts twice",
        f"{G}_segment/contrast.py",
        "exponent *= -0.5 / variance",
        "exponent *= -1.0 / variance",
        f"{GT}segment",
    ),
    Mutant(
        "diagonal edges weigh as straight ones",
        f"{G}_segment/contrast.py",
        "EIGHT / (2 * distances * (1 / distances).sum())",
        "EIGHT / (2 * (1 / distances).sum()) * np.ones_like(distances)",
        f"{GT}segment",
    ),
    Mutant(
        "seeds that were taken away stay",
        f"{G}_segment/kept_cut.py",
        "changed = seeds != self._seeds",
        "changed = seeds != UNKNOWN",
        f"{GT}segment",
    ),
    Mutant(
        "the condition on expansions is that of the transposed costs",
        f"{G}_moves/conditions.py",
        "moved = column[:, :, None] + row[:, None]\n",
        "moved = row[:, :, None] + column[:, None]\n",
        f"{GT}moves",
    ),
    Mutant(
        "sigma counts neighbours that are not there",
        f"{G}_knn/weights.py",
        "(~missing).sum((-2, -1), keepdim=True)",
        "torch.ones_like(known).sum((-2, -1), keepdim=True)",
        f"{GT}knn/test_knn_weights.py",
    ),
    Mutant(
        "self-tuning takes one end's scale twice",
        f"{G}_knn/weights.py",
        "scale.unsqueeze(-1) * scale.gather(-1, listed).view(indices.shape)",
        "(scale.unsqueeze(-1) ** 2).expand(indices.shape)",
        f"{GT}knn/test_knn_weights.py",
    ),
    Mutant(
        "one point of padding is a neighbour",
        f"{G}_knn/clouds.py",
        "torch.where(_positions(self.x)[:, None] < lengths, points, some)",
        "torch.where(_positions(self.x)[:, None] <= lengths, points, some)",
        f"{GT}knn/test_knn.py {GT}knn/test_knn_query.py {GT}test_bad_input.py",
    ),
]

PYTHON = [*LOSSES, *METRICS, *SUPERVISION, *PREDICTION, *TRAINING, *OPERATORS]
