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

LIBRARY = torch.library.Library("graphcut_ext", "DEF")
PLAIN = (Tensor, torch.nn.Parameter)


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
        As ``torch.library.register_autograd`` takes them; the first output alone has a derivative.
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
        self.differentiable: Callable[..., Any] = self.dispatched
        if backward is not None and setup_context is not None:
            function = _function(self, setup_context, backward)
            torch.library.register_autograd(
                qualified, function.backward, setup_context=function.setup_context, lib=LIBRARY
            )
            self.differentiable = function.apply

    def __call__(self, *arguments: Any) -> Any:
        """Compute the outputs, by the dispatcher only where somebody looks on."""
        if torch.compiler.is_compiling():
            return self.dispatched(*arguments)
        if torch._C._len_torch_dispatch_stack() or torch._C._get_tracing_state():
            return self.dispatched(*arguments)
        requires_grad = False
        for argument in arguments:
            if isinstance(argument, Tensor):
                if type(argument) not in PLAIN or not (argument.is_cpu or argument.is_cuda):
                    return self.dispatched(*arguments)
                requires_grad = requires_grad or argument.requires_grad
        transformed = torch._C._are_functorch_transforms_active()
        if transformed or (requires_grad and torch.is_grad_enabled()):
            return self.differentiable(*arguments)
        return self.kernel(*arguments)


def _function(
    operator: Operator, setup: Callable[..., None], gradients: Callable[..., Any]
) -> type[torch.autograd.Function]:
    """Return the operator as a function of autograd, which torch.func transforms too."""

    class Differentiable(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*arguments: Any) -> Any:
            below = torch._C._are_functorch_transforms_active()  # the transform that is here
            return (operator.dispatched if below else operator.kernel)(*arguments)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
            ctx.mark_non_differentiable(*output[1:])
            ctx.set_materialize_grads(False)
            setup(ctx, inputs, output)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> Any:
            if grads[0] is None:
                return (None,) * len(ctx.needs_input_grad)
            return gradients(ctx, *grads)

    return Differentiable
