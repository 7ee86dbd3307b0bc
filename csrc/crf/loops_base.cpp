// The loops on every machine, and the choice between them.
#define GRAPHCUT_LANES 4
#define GRAPHCUT_LOOPS kLoopsBase
#include "crf/loops.ipp"

namespace graphcut::crf {

#if defined(__x86_64__) && defined(__GNUC__)
const Loops& loops() {
  static const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return wide ? kLoopsAvx2 : kLoopsBase;
}
#else
const Loops& loops() { return kLoopsBase; }
#endif

}  // namespace graphcut::crf
