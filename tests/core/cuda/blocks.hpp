// By what the threads of CUDA's blocks are run.
#pragma once

#ifdef GRAPHCUT_FIBERS
#include "fibers.hpp"
#else
#include "threads.hpp"
#endif
