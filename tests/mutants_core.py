"""Errors for the compiled core; see mutants.py. The tests are programs of tests/core."""

from __future__ import annotations

from mutant import Mutant

C = "csrc/"

SOLVERS = [
    Mutant(
        "the source set of the reversed problem follows arcs forward",
        f"{C}maxflow/source_set.hpp",
        "reversed ? 1 : 0;",
        "reversed ? 0 : 1;",
        "mincut_test",
    ),
    Mutant(
        "push-relabel sends more than an arc takes",
        f"{C}maxflow/push_relabel.hpp",
        "if (flow < excess) {",
        "if (flow < R{0}) {",
        "mincut_test",
    ),
    Mutant(
        "push-relabel takes a gap where there is none",
        f"{C}maxflow/push_relabel.hpp",
        "if (count_[old] == 0) gap_",
        "if (count_[old] <= 1) gap_",
        "mincut_test",
    ),
    Mutant(
        "Boykov-Kolmogorov sends more than the sink takes",
        f"{C}maxflow/boykov_kolmogorov.hpp",
        "    flow = std::min(flow, static_cast<R>(-nodes_[i].excess));\n",
        "",
        "mincut_test",
    ),
    Mutant(
        "an orphan takes a parent without a root",
        f"{C}maxflow/boykov_kolmogorov.hpp",
        "if (!upward<side>(arcs_[a]) || nodes_[j].tree != side) continue;",
        "if (nodes_[j].tree != side) continue;",
        "mincut_fuzz",
    ),
    Mutant(
        "flow sent beforehand is no multiple of the quantum",
        f"{C}maxflow/spread.hpp",
        "(first - second) + rounder_) - rounder_;",
        "(first - second));",
        "spread_test",
    ),
    Mutant(
        "flow sent beforehand may exceed the capacity back",
        f"{C}maxflow/spread.hpp",
        "wanted < least ? least : wanted;",
        "wanted;",
        "spread_test",
    ),
    Mutant(
        "small capacities round to nothing in blocks",
        f"{C}maxflow/fixed_point.hpp",
        "return whole == 0 && x > T{0} ? R{1} : whole;",
        "return whole;",
        "block_test",
    ),
    Mutant(
        "terminals of the other side are counted",
        f"{C}maxflow/cut.hpp",
        "side[i] ? to_sink : from_source",
        "side[i] ? from_source : to_sink",
        "mincut_test",
    ),
    Mutant(
        "a block that is kept serves any size",
        f"{C}maxflow/large_blocks.hpp",
        "if (size(block) == bytes) return block;",
        "return block;",
        "large_blocks_test",
    ),
    Mutant(
        "grids lack the edges that lead back along an axis",
        f"{C}maxflow/grid_layout.hpp",
        "return std::max(0, -offset[static_cast<std::size_t>(d)][axis]);",
        "return 0;",
        "grid_test",
    ),
    Mutant(
        "a node of a grid sends more than it has",
        f"{C}maxflow/grid_trees.hpp",
        "if (s_.excess[i] < static_cast<Excess>(flow)) flow = static_cast<R>(s_.excess[i]);",
        "",
        "mincut_fuzz",
    ),
    Mutant(
        "a capacity that falls takes no flow with it",
        f"{C}maxflow/dynamic_cut.cpp",
        "const Mark what = kept ? kArcs : kExcess;",
        "const Mark what = kArcs;",
        "mincut_fuzz",
    ),
    Mutant(
        "the sink set is found against the arcs",
        f"{C}maxflow/dynamic_cut.cpp",
        "if (!arc.sister_open() || side[arc.head()]) continue;",
        "if (!arc.open() || side[arc.head()]) continue;",
        "mincut_fuzz",
    ),
    Mutant(
        "edges that cost nothing are edges of the cut",
        f"{C}maxflow/dynamic_cut.cpp",
        "(out ? network_.capacity[e] : reverse[e]) > Capacity{0}",
        "(out ? network_.capacity[e] : reverse[e]) >= Capacity{0}",
        "mincut_fuzz",
    ),
    Mutant(
        "any cut by blocks counts as proven",
        f"{C}maxflow/block_certificate.hpp",
        "return delivered == cost;",
        "return true;",
        "block_test",
    ),
]

NEIGHBOURS = [
    Mutant(
        "the bound of the neighbours leaves rounding out",
        f"{C}knn/bounds.hpp",
        "product + 16.0 * u + 5.0 * recomputed",
        "product",
        "select_test",
    ),
    Mutant(
        "the neighbours' limit has no margin",
        f"{C}knn/bounds.hpp",
        "static_cast<T>(2.0 * relative), static_cast<T>(absolute)",
        "static_cast<T>(0.0 * relative), static_cast<T>(absolute)",
        "select_test knn_fuzz",
    ),
    Mutant(
        "of equally near points the last one is taken",
        f"{C}knn/candidates.hpp",
        "index < other.index)",
        "index > other.index)",
        "select_test",
    ),
    Mutant(
        "the warps take the last of equally near points",
        f"{C}knn/row_select.hpp",
        "value[first + lane] <= candidate; });",
        "value[first + lane] < candidate; });",
        "knn_fuzz",
    ),
    Mutant(
        "the last points of a row have no say in its bound",
        f"{C}knn/row_select.hpp",
        "j < target.length && j != target.self\n               ?",
        "j + 1 < target.length && j != target.self\n               ?",
        "knn_fuzz",
    ),
    Mutant(
        "a point is its own neighbour where all pairs are measured",
        f"{C}knn/direct_search.cpp",
        "if (j != row) found.push_back(j);",
        "found.push_back(j);",
        "knn_fuzz",
    ),
    Mutant(
        "points that are measured directly are not scaled",
        f"{C}knn/direct_search.cpp",
        "cloud.rescale = rescale.data();",
        "rescale.assign(rescale.size(), 1.0);\n  cloud.rescale = rescale.data();",
        "knn_fuzz",
    ),
    Mutant(
        "points behind the length are found",
        f"{C}knn/select.hpp",
        "return given < searched ? given : searched;",
        "return searched;",
        "select_test knn_fuzz",
    ),
]

CRF = [
    Mutant(
        "the narrow kernel ends at one deviation",
        f"{C}crf/bands.hpp",
        "kReach = 4;",
        "kReach = 1;",
        "crf_test",
    ),
    Mutant(
        "the compatibility's sign is turned",
        f"{C}crf/loops.ipp",
        "value = value - mixed<Lanes>(u, pixel, label);",
        "value = value + mixed<Lanes>(u, pixel, label);",
        "crf_test",
    ),
    Mutant(
        "a vertex has its forward neighbour on both sides",
        f"{C}crf/permutohedral.cpp",
        "backward[next] = vertex;",
        "backward[vertex] = next;",
        "crf_fuzz",
    ),
    Mutant(
        "a symmetric normalisation divides by the sum, not its root",
        f"{C}crf/permutohedral.cpp",
        "const float root = 1 / std::sqrt(sum);",
        "const float root = 1 / sum;",
        "crf_fuzz",
    ),
    Mutant(
        "barycentric weights do not sum to 1",
        f"{C}crf/embedding.hpp",
        "offset[d()][p] + (1 - offset[0][p]);",
        "(1 - offset[0][p]);",
        "crf_fuzz",
    ),
    Mutant(
        "probabilities are not floored",
        f"{C}crf/field.cpp",
        "-std::log(std::max(scores[from], floor))",
        "-std::log(scores[from])",
        "crf_fuzz",
    ),
    Mutant(
        "gradients go through the kernels, not their transposes",
        f"{C}crf/field_gradient.cpp",
        "filter(true, gradient.pairs != nullptr);",
        "filter(false, gradient.pairs != nullptr);",
        "crf_fuzz",
    ),
    Mutant(
        "normalisations before and after stay as they are in gradients",
        f"{C}crf/field_gradient.cpp",
        "values(), 0.0F);\n  turn();",
        "values(), 0.0F);",
        "crf_fuzz",
    ),
    Mutant(
        "probabilities below the floor have a gradient",
        f"{C}crf/field_gradient.cpp",
        "score >= adjoint.floor ? total[from] / score : 0.0F",
        "total[from] / score",
        "crf_fuzz",
    ),
    Mutant(
        "the gradient of a weight lacks all strips but the first",
        f"{C}crf/field_gradient.cpp",
        "strip < strips_.size(); ++strip) {",
        "strip < 1; ++strip) {",
        "crf_test crf_fuzz",
    ),
]

MOVES = [
    Mutant(
        "an edge between two changed nodes counts twice",
        f"{C}moves/labelling.hpp",
        "} else if (after[j] == before[j]) {",
        "} else {",
        "moves_test",
    ),
    Mutant(
        "edges from a node to itself cost nothing",
        f"{C}moves/search.hpp",
        "sum += loop.weight *",
        "sum += Cost{0} *",
        "moves_test moves_fuzz",
    ),
    Mutant(
        "a node sure of its second label is not told of",
        f"{C}moves/choice.hpp",
        "if (second) bounds.most -= product;",
        "",
        "moves_test moves_fuzz",
    ),
    Mutant(
        "the two ends of an edge are taken for each other",
        f"{C}moves/adjacency.hpp",
        "return bits & 1U;",
        "return (bits & 1U) ^ 1U;",
        "moves_test",
    ),
    Mutant(
        "labels that are no candidates cost what the first one costs",
        f"{C}moves/unary.hpp",
        "if (at == last) return {0, nullptr};",
        "if (at == last) return {0, problem_.unary + i * problem_.columns};",
        "moves_test moves_fuzz",
    ),
    Mutant(
        "a label that some nodes may not have is tried for all",
        f"{C}moves/descent.cpp",
        "if (is_forbidden(cost)) allowed = false;",
        "",
        "moves_fuzz",
    ),
    Mutant(
        "all edges have the first table of costs",
        f"{C}moves/table.hpp",
        "pays_(problem.tables == nullptr && ",
        "pays_(",
        "moves_test",
    ),
    Mutant(
        "a set of labels counts for each of its users",
        f"{C}moves/label_sets.hpp",
        "if (before != after) add(",
        "if (next_users_[place(set)] != users_[place(set)]) add(",
        "moves_test",
    ),
    Mutant(
        "a list of candidates is taken for all labels in order",
        f"{C}moves/unary.hpp",
        "act(i, column, problem_.unary[i * problem_.columns + column]);",
        "act(i, column, problem_.unary[i * problem_.columns + label % problem_.columns]);",
        "moves_test",
    ),
    Mutant(
        "half way between two numbers what is left is forgotten",
        f"{C}moves/exact_sum.hpp",
        "if (k > 0 && (lost < 0) == (parts_[k - 1] < 0)) {",
        "if (false) {",
        "moves_test",
    ),
]

CORE = [*SOLVERS, *NEIGHBOURS, *CRF, *MOVES]
