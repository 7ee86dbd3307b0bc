// Sums whose result does not depend on the order of what is added.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace graphcut::moves {

// Exact, and rounded once: J. Shewchuk, "Adaptive precision floating-point arithmetic and fast
// robust geometric predicates", Discrete & Computational Geometry 1997. The sum is kept as numbers
// of which none has a digit where another has one, the largest last.
class ExactSum {
 public:
  void add(double term) {
    std::size_t kept = 0;
    for (const double part : parts_) {
      const double sum = term + part;
      const double from_part = sum - term;
      const double lost = (term - (sum - from_part)) + (part - from_part);
      if (lost != 0) parts_[kept++] = lost;
      term = sum;
    }
    parts_.resize(kept);
    if (term != 0) parts_.push_back(term);
  }

  int sign() const {
    const double largest = parts_.empty() ? 0 : parts_.back();
    return static_cast<int>(largest > 0) - static_cast<int>(largest < 0);
  }

  double rounded() const {
    if (parts_.empty()) return 0;
    std::size_t k = parts_.size() - 1;
    double sum = parts_[k], lost = 0;
    while (k > 0 && lost == 0) {
      const double before = sum, part = parts_[--k];
      sum = before + part;
      lost = part - (sum - before);
    }
    // Half way between two numbers, what is left decides.
    if (k > 0 && (lost < 0) == (parts_[k - 1] < 0)) {
      const double twice = 2 * lost, other = sum + twice;
      if (other - sum == twice) sum = other;
    }
    return sum;
  }

 private:
  std::vector<double> parts_;
};

// The sign of the exact sum of what each_term(add) hands to `add`, the same terms at every call.
// Nearly always the sum in floating point tells it, since its error is bounded by n terms' units in
// the last place of the sum of their sizes.
template <class EachTerm>
int sign_of_sum(double /*tag*/, EachTerm&& each_term) {
  double sum = 0, sizes = 0, count = 0;
  each_term([&](double term) {
    sum += term;
    sizes += std::abs(term);
    ++count;
  });
  const double error = count * std::numeric_limits<double>::epsilon() * sizes;
  if (sum > error) return 1;
  if (sum < -error) return -1;
  ExactSum exact;
  each_term([&](double term) { exact.add(term); });
  return exact.sign();
}

template <class EachTerm>
int sign_of_sum(std::int64_t /*tag*/, EachTerm&& each_term) {
  std::int64_t sum = 0;
  each_term([&](std::int64_t term) { sum += term; });
  return static_cast<int>(sum > 0) - static_cast<int>(sum < 0);
}

template <class EachTerm>
double rounded_sum(double /*tag*/, EachTerm&& each_term) {
  ExactSum exact;
  each_term([&](double term) { exact.add(term); });
  return exact.rounded();
}

template <class EachTerm>
std::int64_t rounded_sum(std::int64_t /*tag*/, EachTerm&& each_term) {
  std::int64_t sum = 0;
  each_term([&](std::int64_t term) { sum += term; });
  return sum;
}

}  // namespace graphcut::moves
