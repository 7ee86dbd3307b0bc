"""Operators of torch that cost little to call.

``torch.library.custom_op`` imports torch's compiler at its first call, which takes a second, and
goes through the dispatcher at every call. Operators are registered here without it, and called
directly where nothing traces or transforms the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import unwrap_if_dead
from torch.autograd import forward_ad

LIBRARY = torch.library.Library("graphcut_ext", "DEF")
PLAIN = (Tensor, torch.nn.Parameter)


def is_traced() -> bool:
    """Whether torch traces what is called, or a mode takes over what it does."""
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._get_tracing_state() is not None
    )


def is_transformed() -> bool:
    """Whether torch.func transforms what is called, or derivatives in forward mode are taken."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def short_apply(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """Return the function's ``apply`` without what torch.func needs, half of its time.

    It is for calls that nothing transforms.
    """
    apply: Callable[..., Any] = super(torch.autograd.Function, function).apply  # type: ignore[misc]

    def applied(*arguments: Any) -> Any:
        # What has left torch.func is wrapped still.
        return apply(*[unwrap_if_dead(a) if isinstance(a, Tensor) else a for a in arguments])

    return applied


def on_host(*tensors: Tensor | None) -> bool:
    """Whether a derivative may be computed of NumPy arrays, which costs less for small ones.

    That is where no derivatives of it are wanted, and nobody traces or transforms it.
    """
    return not (torch.is_grad_enabled() or is_traced() or is_transformed()) and all(
        t is None or (type(t) in PLAIN and t.is_cpu and not t.is_neg()) for t in tensors
    )


class Operator:
    """``torch.ops.graphcut_ext.<name>``, and the shortest way to its result.

    Parameters
    ----------
    name
        Of the operator; its schema is that of the kernel's annotations.
    kernel
        Computes the outputs of tensors on the CPU or on CUDA; they share no memory with the inputs.
    fake
        Takes the same arguments and returns outputs of the same shapes, without values.
    vmap
        As ``torch.library.register_vmap`` takes it; it calls :attr:`dispatched`.
    setup_context, backward
        As ``torch.library.register_autograd`` takes them; the first or only output alone has a
        derivative.
        Default: none has one.
    """

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any],
        fake: Callable[..., Any],
        *,
        vmap: Callable[..., Any] | None = None,
        setup_context: Callable[..., None] | None = None,
        backward: Callable[..., Any] | None = None,
    ) -> None:
        schema = torch.library.infer_schema(kernel, mutates_args=())
        LIBRARY.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))
        LIBRARY.impl(name, kernel, "CompositeExplicitAutograd")
        qualified = f"{LIBRARY.ns}::{name}"
        torch.library.register_fake(qualified, fake, lib=LIBRARY)
        if vmap is not None:
            torch.library.register_vmap(qualified, vmap, lib=LIBRARY)
        self.kernel = kernel
        self.dispatched: Callable[..., Any] = getattr(torch.ops.graphcut_ext, name).default
        self.differentiated = self.transformed = self.dispatched
        if backward is not None and setup_context is not None:
            differentiated, transformed = _functions(self, setup_context, backward)
            torch.library.register_autograd(
                qualified,
                transformed.backward,
                setup_context=transformed.setup_context,
                lib=LIBRARY,
            )
            self.differentiated, self.transformed = short_apply(differentiated), transformed.apply

    def __call__(self, *arguments: Any) -> Any:
        """Compute the outputs, by the dispatcher only where somebody looks on."""
        if is_traced():
            return self.dispatched(*arguments)
        requires_grad = False
        for argument in arguments:
            if isinstance(argument, Tensor):
                if type(argument) not in PLAIN or not (argument.is_cpu or argument.is_cuda):
                    return self.dispatched(*arguments)
                requires_grad = requires_grad or argument.requires_grad
        if torch._C._are_functorch_transforms_active():
            return self.transformed(*arguments)
        if requires_grad and torch.is_grad_enabled():
            return self.differentiated(*arguments)
        return self.kernel(*arguments)


def _functions(
    operator: Operator, setup: Callable[..., None], gradients: Callable[..., Any]
) -> tuple[type[torch.autograd.Function], type[torch.autograd.Function]]:
    """Return the operator as functions of autograd: the faster one, and one for torch.func."""

    class Differentiated(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = operator.kernel(*inputs)
            remember(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> Any:
            return backward(ctx, *grads)

    class Transformed(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*arguments: Any) -> Any:
            below = torch._C._are_functorch_transforms_active()  # the transform that is here
            return (operator.dispatched if below else operator.kernel)(*arguments)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
            remember(ctx, inputs, output)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> Any:
            return backward(ctx, *grads)

    def remember(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, tuple):
            ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        setup(ctx, inputs, output)

    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        if grads[0] is None:
            return (None,) * len(ctx.needs_input_grad)
        return gradients(ctx, *grads)

    return Differentiated, Transformed
