// Fuzz target of the moves: bytes make up a small energy that the operator would let through. The
// labels found must be allowed and cost what is said, no more than before; and no single move may
// improve on them, by brute force over all moves.
#include <cstddef>
#include <cstdint>

#include "choices.hpp"
#include "energies.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graphcut::test::Choices choices(data, size);
  if (choices.one_in(2)) {
    graphcut::test::Energy<double>(choices).check(choices);
  } else {
    graphcut::test::Energy<std::int64_t>(choices).check(choices);
  }
  return 0;
}
