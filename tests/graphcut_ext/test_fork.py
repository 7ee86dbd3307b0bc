"""Operators in a forked child: several threads inside at once, and gradients."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")

# The first to enter leaves while the second is still inside. A new thread takes its number of
# threads from that of the process.
OVERLAPPING = """
import os, threading, torch
from graphcut_ext._fork import safe_in_forked_child

torch.set_num_threads(2)

def of_process():
    found = []
    asking = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    asking.start()
    asking.join()
    return found[0]

@safe_in_forked_child
def work(inside, leave):
    seen = torch.get_num_threads()
    inside.set()
    assert leave.wait(30)
    return seen

class Call(threading.Thread):
    def __init__(self):
        super().__init__()
        self.inside, self.leave = threading.Event(), threading.Event()
    def run(self):
        self.seen = work(self.inside, self.leave)
    def enter(self):
        self.start()
        assert self.inside.wait(30)
        return self
    def end(self):
        self.leave.set()
        self.join()

if os.fork() == 0:
    first, second = Call().enter(), Call().enter()
    first.end()
    between = of_process()
    second.end()
    print(first.seen, second.seen, between, of_process(), flush=True)
    os._exit(0)
os.wait()
print(of_process())
"""


def test_a_call_that_ends_leaves_the_others_on_one_thread() -> None:
    found = subprocess.run(
        [sys.executable, "-c", OVERLAPPING], capture_output=True, text=True, timeout=60
    )
    assert found.stdout.split() == ["1", "1", "1", "2", "2"], found.stderr


# So many edges that torch's operations use threads, which the parent has started.
GRADIENT = """
import os, torch
import graphcut_ext as gx

torch.set_num_threads(2)
torch.where(torch.rand(1 << 20) > 0.5, torch.rand(1 << 20), 0.0)
tails = torch.arange(200_000) % 49_999
ends, (source, sink) = torch.stack([tails, tails + 1]), torch.rand(2, 50_000)
leaves = [torch.rand(200_000, requires_grad=True), source.requires_grad_()]

def gradients():
    return torch.autograd.grad(gx.maxflow(ends, *leaves, sink, num_threads=1).value, leaves)

if os.fork() == 0:
    found = gradients()
    print([float(one.numpy().sum()) for one in found], torch.get_num_threads(), flush=True)
    os._exit(0)
os.wait()
print([float(one.numpy().sum()) for one in gradients()], torch.get_num_threads())
"""


def test_gradients_of_one_large_cut_are_found_in_a_forked_child() -> None:
    found = subprocess.run(
        [sys.executable, "-c", GRADIENT], capture_output=True, text=True, timeout=180
    )
    of_child, of_parent = found.stdout.splitlines()
    assert of_child == of_parent
    assert of_parent.endswith("2")
