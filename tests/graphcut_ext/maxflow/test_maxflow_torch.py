"""The cut operators as torch operators: gradients, tracing, vmap, autocast."""

from __future__ import annotations

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import graphcut_ext as gx

N, E, K = 7, 15, 3


def edge_list(seed: int = 0, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    """Continuous random capacities: the minimum cut is unique with probability one."""
    g = torch.Generator().manual_seed(seed)
    return {
        "edge_index": torch.randint(0, N, (2, E), generator=g),
        "capacity": torch.rand(E, generator=g, dtype=dtype),
        "source": 2 * torch.rand(N, generator=g, dtype=dtype),
        "sink": 2 * torch.rand(N, generator=g, dtype=dtype),
        "reverse_capacity": torch.rand(E, generator=g, dtype=dtype),
    }


def knn_list(seed: int = 0, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "indices": torch.stack([torch.randperm(N, generator=g)[:K] for _ in range(2 * N)]).view(
            2, N, K
        ),
        "weights": torch.rand(2, N, K, generator=g, dtype=dtype),
        "source": 2 * torch.rand(2, 3, N, generator=g, dtype=dtype),
        "sink": 2 * torch.rand(2, 3, N, generator=g, dtype=dtype),
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("ptr", [None, torch.tensor([0, 3, 3, N])])
def test_gradcheck(seed, directed, ptr):
    a = edge_list(seed)
    if ptr is not None:
        a["edge_index"] = torch.where(
            a["edge_index"][0] < 3, a["edge_index"] % 3, 3 + a["edge_index"] % (N - 3)
        )
    floats = [a[k].requires_grad_() for k in ("capacity", "source", "sink", "reverse_capacity")]

    def value(capacity, source, sink, reverse):
        return gx.maxflow(
            a["edge_index"],
            capacity,
            source,
            sink,
            ptr=ptr,
            reverse_capacity=reverse if directed else None,
        ).value

    torch.autograd.gradcheck(value, floats)
    torch.autograd.gradgradcheck(value, floats)


def test_gradcheck_broadcast():
    a = edge_list(3)
    capacity = (a["capacity"] * torch.tensor([[1.0], [0.5]])).unsqueeze(1).requires_grad_()
    source = (a["source"] * torch.tensor([[1.0], [0.7], [1.3]])).requires_grad_()
    sink = a["sink"].requires_grad_()

    def value(capacity, source, sink):
        return gx.maxflow(a["edge_index"], capacity, source, sink).value

    assert value(capacity, source, sink).shape == (2, 3)
    torch.autograd.gradcheck(value, (capacity, source, sink))


@pytest.mark.parametrize("seed", range(5))
def test_gradcheck_knn(seed):
    a = knn_list(seed)
    floats = [a[k].requires_grad_() for k in ("weights", "source", "sink")]
    torch.autograd.gradcheck(lambda *f: gx.knn_maxflow(a["indices"], *f).value, floats)
    torch.autograd.gradgradcheck(lambda *f: gx.knn_maxflow(a["indices"], *f).value, floats)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [(), (2,), (3, 2)])
@pytest.mark.parametrize("directed", [False, True])
def test_gradients_are_the_same_where_they_can_be_differentiated(dtype, rows, directed):
    problem = edge_list(1, dtype)
    if not directed:
        del problem["reverse_capacity"]
    generator = torch.Generator().manual_seed(0)
    for name in problem.keys() - {"edge_index"}:
        leading = rows if name in ("source", "capacity") else ()  # the others are shared
        scale = torch.rand(*leading, 1, generator=generator, dtype=dtype)
        problem[name] = (problem[name] * (0.5 + scale)).requires_grad_()
    leaves = [tensor for name, tensor in problem.items() if name != "edge_index"]
    value = gx.maxflow(**problem).value
    weight = torch.rand(value.shape, generator=generator, dtype=value.dtype)
    plain = torch.autograd.grad(value, leaves, weight, retain_graph=True)
    for own, other in zip(
        plain, torch.autograd.grad(value, leaves, weight, create_graph=True), strict=True
    ):
        assert own.dtype == dtype
        torch.testing.assert_close(own, other)


def test_knn_gradients_are_the_same_where_they_can_be_differentiated():
    problem = knn_list(2, torch.float32)
    leaves = [problem[name].requires_grad_() for name in ("weights", "source", "sink")]
    value = gx.knn_maxflow(**problem).value
    weight = torch.rand(value.shape, generator=torch.Generator().manual_seed(0)).double()
    plain = torch.autograd.grad(value, leaves, weight, retain_graph=True)
    for own, other in zip(
        plain, torch.autograd.grad(value, leaves, weight, create_graph=True), strict=True
    ):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, other)


def test_gradient_is_the_indicator_of_the_cut():
    capacity = torch.tensor([3.0, 1.0], requires_grad=True)
    source = torch.tensor([5.0, 0.0, 0.0], requires_grad=True)
    cut = gx.maxflow(
        torch.tensor([[0, 1], [1, 2]]), capacity, source, torch.tensor([0.0, 0.0, 4.0])
    )
    cut.value.backward()
    assert capacity.grad.tolist() == [0.0, 1.0]
    assert source.grad.tolist() == [0.0, 0.0, 1.0]
    assert not cut.source_side.requires_grad


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wanted", ["capacity", "reverse_capacity", "source", "sink", "all"])
def test_gradients_of_direct_calls_are_those_of_the_operator(directed, dtype, wanted):
    a = edge_list(3, dtype)
    if not directed:
        del a["reverse_capacity"]
        wanted = "capacity" if wanted == "reverse_capacity" else wanted
    leaves = [a[n].requires_grad_() for n in a if n == wanted or (wanted == "all" and n[0] != "e")]
    order = ("edge_index", "capacity", "reverse_capacity", "source", "sink")
    weight = torch.rand(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    value = gx.maxflow(**a).value
    inputs = [a.get(name) for name in order]
    other = torch.ops.graphcut_ext.maxflow(*inputs, None, "auto", False, 0)[0]
    for given in (weight[0], torch.tensor(float("inf"), dtype=torch.float64)):
        found = torch.autograd.grad(value, leaves, given, retain_graph=True)
        for own, expected in zip(
            found, torch.autograd.grad(other, leaves, given, retain_graph=True), strict=True
        ):
            assert own.dtype == dtype
            assert torch.equal(own, expected)
    many = torch.autograd.grad(value, leaves, weight, is_grads_batched=True, retain_graph=True)
    for index, given in enumerate(weight):
        for own, each in zip(
            torch.autograd.grad(value, leaves, given, retain_graph=True), many, strict=True
        ):
            assert torch.equal(each[index], own)


def test_gradient_is_differentiable_in_what_it_is_times():
    a = edge_list(0)
    a["capacity"].requires_grad_()
    (once,) = torch.autograd.grad(gx.maxflow(**a).value, a["capacity"])
    value = gx.maxflow(**a).value
    (gradient,) = torch.autograd.grad(value.square(), a["capacity"], create_graph=True)
    (twice,) = torch.autograd.grad(gradient.sum(), a["capacity"])
    torch.testing.assert_close(twice, 2 * once.sum() * once)


@pytest.mark.parametrize("rows", [(), (2,)])
def test_tensors_that_have_left_torch_func_have_gradients(rows):
    a = edge_list(0)
    expected = torch.autograd.grad(gx.maxflow(**a | {"capacity": (x := leaf(a))}).value, x)[0]
    left = []

    def of_capacity(capacity):
        left.append(capacity)
        return capacity.sum()

    capacity = leaf(a)
    torch.func.grad(of_capacity)(capacity)
    source = a["source"].expand(*rows, N)
    value = gx.maxflow(**a | {"capacity": left[0], "source": source}).value
    (found,) = torch.autograd.grad(value.sum(), capacity)
    torch.testing.assert_close(found, expected * (2 if rows else 1))


def leaf(problem):
    return problem["capacity"].clone().requires_grad_()


def arguments(kind: str, seed: int = 0, dtype: torch.dtype = torch.float64):
    if kind != "knn_maxflow":
        a = edge_list(seed, dtype)
        return torch.ops.graphcut_ext.maxflow.default, (
            a["edge_index"],
            a["capacity"],
            a["reverse_capacity"],
            a["source"],
            a["sink"],
            torch.tensor([0, N]),
            "auto",
            kind == "maxflow with flow",
            0,
        )
    return torch.ops.graphcut_ext.knn_maxflow.default, (*knn_list(seed, dtype).values(), "auto", 0)


@pytest.mark.parametrize("kind", ["maxflow", "maxflow with flow", "knn_maxflow"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_opcheck(kind, dtype):
    op, args = arguments(kind, dtype=dtype)
    args = tuple(
        a.requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a
        for a in args
    )
    torch.library.opcheck(op, args)


def loss(edge_index, capacity, source, sink, reverse_capacity):
    cut = gx.maxflow(edge_index, capacity * 2, source, sink, reverse_capacity=reverse_capacity)
    return cut.value + cut.source_side.sum()


def knn_loss(indices, weights, source, sink):
    cut = gx.knn_maxflow(indices, weights * 2, source, sink)
    return cut.value.sum() + cut.source_side.sum()


@pytest.mark.parametrize(("function", "make"), [(loss, edge_list), (knn_loss, knn_list)])
def test_compile_fullgraph(function, make):
    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for seed in range(2):
        eager = make(seed)
        traced = {k: v.clone() for k, v in eager.items()}
        for a in (eager, traced):
            for v in a.values():
                v.requires_grad_(v.is_floating_point())
        function(**eager).backward()
        result = compiled(**traced)
        result.backward()
        assert result.item() == function(**eager).item()
        for name in eager:
            if eager[name].grad is not None:
                assert torch.equal(eager[name].grad, traced[name].grad), name


def test_compile_with_inductor():
    torch._dynamo.reset()
    a = edge_list()
    assert torch.compile(loss, fullgraph=True)(**a).item() == pytest.approx(loss(**a).item())


@pytest.mark.parametrize(("function", "make"), [(loss, edge_list), (knn_loss, knn_list)])
def test_export(function, make):
    class Module(torch.nn.Module):
        def forward(self, *args: torch.Tensor) -> torch.Tensor:
            return function(*args)

    a = tuple(make().values())
    program = torch.export.export(Module(), a)
    assert program.module()(*a).item() == function(*a).item()


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64])
def test_direct_calls_give_what_the_operator_gives(dtype, directed):
    for seed in range(5):
        a = edge_list(seed)
        capacities = {k: (8 * v).to(dtype) for k, v in a.items() if v.is_floating_point()}
        if not directed:
            del capacities["reverse_capacity"]
        cut = gx.maxflow(a["edge_index"], **capacities)
        value, side, _ = torch.ops.graphcut_ext.maxflow(
            a["edge_index"],
            capacities["capacity"],
            capacities.get("reverse_capacity"),
            capacities["source"],
            capacities["sink"],
            None,
            "auto",
            False,
            0,
        )
        assert (cut.value.dtype, cut.value.shape) == (value.dtype, value.shape)
        assert torch.equal(cut.value, value)
        assert torch.equal(cut.source_side, side)


@pytest.mark.parametrize(("function", "make"), [(loss, edge_list), (knn_loss, knn_list)])
def test_traced_calls_keep_the_operator(function, make):
    a = tuple(make().values())
    traced = make_fx(function)(*a)
    operators = [str(node.target) for node in traced.graph.nodes]
    assert any("graphcut_ext" in target for target in operators), operators
    b = tuple(make(1).values())
    assert traced(*b) == function(*b)


@pytest.mark.parametrize("mapped", [("capacity",), ("source", "sink"), ("capacity", "sink")])
def test_vmap(mapped):
    base = edge_list()
    names = list(base)
    stacked = {n: torch.stack([base[n] * s for s in (1, 2, 3)], dim=-1) for n in mapped}
    in_dims = tuple(-1 if n in mapped else None for n in names)

    def value(*args):
        return gx.maxflow(*args[:4], reverse_capacity=args[4]).value

    result = torch.vmap(value, in_dims)(*(stacked.get(n, base[n]) for n in names))
    for i, scale in enumerate((1, 2, 3)):
        expected = value(*(base[n] * scale if n in mapped else base[n] for n in names))
        assert result[i] == expected


def test_vmap_of_the_flow():
    base = edge_list()
    capacities = torch.stack([base["capacity"], 3 * base["capacity"]])

    def flow(capacity):
        return gx.maxflow(**{**base, "capacity": capacity}, return_flow=True).flow

    result = torch.vmap(flow)(capacities)
    assert torch.equal(result, torch.stack([flow(c) for c in capacities]))
    assert not torch.equal(result[0], result[1])


def test_vmap_knn():
    a, b = knn_list(0), knn_list(1)
    stacked = [torch.stack([a[k], b[k]]) for k in a]
    result = torch.vmap(lambda *args: gx.knn_maxflow(*args).value)(*stacked)
    assert torch.equal(result, torch.stack([gx.knn_maxflow(**x).value for x in (a, b)]))


@pytest.mark.parametrize("name", ["capacity", "reverse_capacity", "source", "sink"])
def test_transforms_of_torch_func_differentiate(name):
    a = edge_list()
    a["source"][:3] += 4  # so that every kind of arc is cut
    a["sink"][3:6] += 4
    changed = a[name].clone().requires_grad_()

    def value(changed):
        return gx.maxflow(**{**a, name: changed}).value

    (expected,) = torch.autograd.grad(value(changed), changed)
    assert expected.abs().sum() > 0
    assert torch.equal(torch.func.grad(value)(a[name]), expected)
    rows = torch.stack([a[name], 2 * a[name], 0.3 * a[name]])
    each = torch.stack([torch.func.grad(value)(row) for row in rows])
    assert torch.equal(torch.vmap(torch.func.grad(value))(rows), each)
    pair = torch.func.jacrev(lambda x: value(x) * torch.tensor([1.0, 3.0]))(a[name])
    assert torch.equal(pair, torch.stack([expected, 3 * expected]))


def test_transforms_of_torch_func_differentiate_knn_cuts():
    a = knn_list()
    weights = a["weights"].clone().requires_grad_()

    def value(weights):
        return gx.knn_maxflow(**{**a, "weights": weights}).value.sum()

    (expected,) = torch.autograd.grad(value(weights), weights)
    assert torch.equal(torch.func.grad(value)(a["weights"]), expected)


def test_autocast():
    a = edge_list(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = gx.maxflow(**a).value
    assert value == gx.maxflow(**a).value
    assert value.dtype == torch.float64


def test_half_capacities_are_told_the_way():
    a = edge_list(dtype=torch.bfloat16)
    with pytest.raises(TypeError, match=r"not bfloat16; capacity\.float\(\) is exact"):
        gx.maxflow(**a)
    gx.maxflow(**{k: v.float() if v.is_floating_point() else v for k, v in a.items()})


@pytest.mark.parametrize("name", ["capacity", "reverse_capacity", "source", "sink"])
def test_forward_mode_is_refused(name):
    a = edge_list()

    def value(changed):
        return gx.maxflow(**{**a, name: changed}).value

    with pytest.raises(NotImplementedError, match=f"{name} carries a tangent"):
        torch.func.jvp(value, (a[name],), (torch.ones_like(a[name]),))
    with pytest.raises(NotImplementedError, match=f"{name} carries a tangent"):
        torch.func.jacfwd(value)(a[name])
    with torch.autograd.forward_ad.dual_level():
        assert value(a[name]) == gx.maxflow(**a).value
