// Stands in for libFuzzer where the compiler has none: random bytes and mutations of earlier ones,
// without feedback from coverage. Understands libFuzzer's options of the same names:
//
//   fuzz [-runs=INPUTS] [-max_total_time=SECONDS] [-timeout=SECONDS] [-seed=N]
//        [-artifact_prefix=PATH] [FILE...]
//
// Files are run instead. The present input is always in PATH + "last-input", which stays there when
// an input ends the process, by an error or by its time limit.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "choices.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
using graphcut::test::Choices;

constexpr std::size_t kLongest = 1024, kKept = 256;

// A file whose bytes survive however the process ends; unused ones are 0.
class LastInput {
 public:
  explicit LastInput(const std::string& path) : path_(path) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, kLongest) != 0) fail();
    void* mapped = mmap(nullptr, kLongest, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) fail();
    close(file);
    data_ = static_cast<std::uint8_t*>(mapped);
  }
  void store(const Bytes& input) {
    std::memcpy(data_, input.data(), input.size());
    std::memset(data_ + input.size(), 0, kLongest - input.size());
  }
  void remove() const { unlink(path_.c_str()); }

 private:
  void fail() const { throw std::system_error(errno, std::generic_category(), path_); }

  std::string path_;
  std::uint8_t* data_ = nullptr;
};

Bytes fresh(Choices& choices) {
  Bytes input(choices.below(choices.one_in(4) ? kLongest : 128) + 1);
  for (auto& byte : input) byte = static_cast<std::uint8_t>(choices.below(256));
  return input;
}

void mutate(Bytes& input, Choices& choices) {
  const auto at = [&] { return static_cast<std::ptrdiff_t>(choices.below(input.size())); };
  switch (choices.below(6)) {
    case 0:
      input[choices.below(input.size())] ^= static_cast<std::uint8_t>(1U << choices.below(8));
      break;
    case 1:
      input[choices.below(input.size())] = choices.of<std::uint8_t>({0, 1, 0x7f, 0x80, 0xff});
      break;
    case 2:
      input[choices.below(input.size())] = static_cast<std::uint8_t>(choices.below(256));
      break;
    case 3:
      input.insert(input.begin() + at(), static_cast<std::uint8_t>(choices.below(256)));
      break;
    case 4:
      if (input.size() > 1) input.erase(input.begin() + at());
      break;
    default: {
      const auto from = at(), to = at();
      const Bytes piece(input.begin() + std::min(from, to), input.begin() + std::max(from, to));
      input.insert(input.begin() + at(), piece.begin(), piece.end());
    }
  }
  input.resize(std::min(input.size(), kLongest));
}

std::uint64_t number(const std::map<std::string, std::string>& options, const char* name,
                     std::uint64_t otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : std::stoull(found->second);
}

void fuzz(const std::map<std::string, std::string>& options) {
  using Clock = std::chrono::steady_clock;
  const auto found = options.find("-artifact_prefix");
  LastInput last((found == options.end() ? "" : found->second) + "last-input");
  const std::uint64_t seed = number(options, "-seed", std::random_device{}());
  const std::chrono::seconds duration(number(options, "-max_total_time", 60));
  const std::uint64_t runs = number(options, "-runs", std::numeric_limits<std::uint64_t>::max());
  const auto limit = static_cast<unsigned>(number(options, "-timeout", 10));
  Choices choices(seed);
  std::vector<Bytes> kept(kKept, Bytes{0});
  std::uint64_t inputs = 0;
  const auto begin = Clock::now();
  for (; inputs < runs && Clock::now() - begin < duration; ++inputs) {
    Bytes input = choices.one_in(4) ? fresh(choices) : kept[choices.below(kKept)];
    for (auto changes = choices.below(8); changes > 0; --changes) mutate(input, choices);
    last.store(input);
    alarm(limit);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    alarm(0);
    kept[choices.below(kKept)] = std::move(input);
  }
  last.remove();
  std::printf("%llu inputs from seed %llu in %lld s: no failure\n",
              static_cast<unsigned long long>(inputs), static_cast<unsigned long long>(seed),
              static_cast<long long>(
                  std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count()));
}

}  // namespace

int main(int count, char** arguments) {
  std::map<std::string, std::string> options;
  bool files = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.starts_with('-')) {
      const auto equal = argument.find('=');
      options[argument.substr(0, equal)] = argument.substr(equal + 1);
      continue;
    }
    files = true;
    std::ifstream file(argument, std::ios::binary);
    const Bytes input{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(input.data(), input.size());
    std::printf("%s: no failure\n", argument.c_str());
  }
  if (!files) fuzz(options);
}
