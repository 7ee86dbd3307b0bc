// Stands in for the file of this name in csrc: the memory that the threads of a block share.
#pragma once

#include "blocks.hpp"

namespace graphcut {

inline char* shared_memory() { return test::this_block().shared_memory(); }

}  // namespace graphcut
