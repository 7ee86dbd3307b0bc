"""Errors for the supervision; see mutants.py."""

from __future__ import annotations

from mutant import Mutant

S, T = "python/dgcn/supervision/", "tests/dgcn/"

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
