// The list of solvers: a new one is a header, its line here and its include in solvers.hpp.
#pragma once

// ENTRY(name that users give, value of Method, class template over the residuals' type). The enum,
// the names and the members of Solvers::All (solvers.hpp) are made of it, and Python's list of
// names.
#define GRAPHCUT_SOLVERS(ENTRY)                    \
  ENTRY("bk", boykov_kolmogorov, BoykovKolmogorov) \
  ENTRY("ibfs", incremental_bfs, IncrementalBfs)   \
  ENTRY("push_relabel", push_relabel, PushRelabel) \
  ENTRY("hpf", pseudoflow, Pseudoflow)
