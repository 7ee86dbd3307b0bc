// The list of solvers: a new one is a header, its include and its line here.
#pragma once

#include "maxflow/boykov_kolmogorov.hpp"
#include "maxflow/incremental_bfs.hpp"
#include "maxflow/pseudoflow.hpp"
#include "maxflow/push_relabel.hpp"

// ENTRY(name that users give, value of Method, class template over the residuals' type). The enum,
// the names and the members of Solvers (cut.hpp) are made of it, and Python's list of names.
#define GRAPHCUT_SOLVERS(ENTRY)                    \
  ENTRY("bk", boykov_kolmogorov, BoykovKolmogorov) \
  ENTRY("ibfs", incremental_bfs, IncrementalBfs)   \
  ENTRY("push_relabel", push_relabel, PushRelabel) \
  ENTRY("hpf", pseudoflow, Pseudoflow)
