"""Errors for the operators in Python; see mutants.py."""

from __future__ import annotations

from mutant import Mutant

G, GT = "graphcut_ext/", "tests/graphcut_ext/"

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
    Mutant(
        "products of several threads are not kept apart",
        f"{G}_knn/cuda.py",
        "with _multiplying, fast:",
        "with fast:",
        f"{GT}knn/test_knn_precision.py",
    ),
    Mutant(
        "products of lower precision count as exact where torch does not tell",
        f"{G}_knn/clouds.py",
        'precision = "bf16" if medium else "ieee"',
        'precision = "ieee"',
        f"{GT}knn/test_knn.py",
        "the line serves torch before 2.9, and the tests run with a newer one, which tells",
    ),
]
