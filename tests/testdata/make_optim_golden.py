#!/usr/bin/env python3
"""Makes optim_golden.json: the results of PyTorch's optimizers and schedules for a few small tensors.

    pip install torch numpy        # any recent version; the checked-in file says which one made it
    python3 make_optim_golden.py > optim_golden.json

For each rule, each combination of its options and each dtype: parameters and state after kSteps steps
from the same beginning with the same gradients. Numbers have all their digits (they read back as the
same float or double). Tensors are listed flat, row-major.
"""

import itertools
import json
import sys

import numpy as np
import torch

SHAPES = {"scalar": [], "vector": [5], "matrix": [2, 3], "cube": [1, 2, 2]}
STEPS = 4
DTYPES = {"f32": torch.float32, "f64": torch.float64}


def numbers(tensor):
    """Returns the elements with all digits: the shortest text that reads back as the same number of the tensor's type."""
    return [float(str(x)) for x in tensor.detach().numpy().reshape(-1)]


def make_inputs():
    random = np.random.default_rng(20230417)

    def draw(scale):
        # f32 numbers, so that both dtypes start from the same ones; magnitudes differ within a tensor.
        tensors = {}
        for name, shape in SHAPES.items():
            values = random.standard_normal(shape) * 10.0 ** random.uniform(-3, 1, shape) * scale
            tensors[name] = np.asarray(values, dtype=np.float32)
        return tensors

    params = draw(1.0)
    grads = [draw(0.5) for _ in range(STEPS)]
    grads[1]["vector"][2] = 0.0  # as of a row that no input used
    return params, grads


def rules():
    for momentum, dampening, nesterov, decay in itertools.product(
        [0.0, 0.9], [0.0, 0.25], [False, True], [0.0, 0.1]
    ):
        if nesterov and (momentum == 0 or dampening != 0):
            continue  # PyTorch refuses these
        yield "sgd", dict(momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=decay)
    for rule in ["adam", "adamw"]:
        yield rule, {}  # PyTorch's defaults, but for the learning rate
        for betas, eps, decay in itertools.product(
            [(0.9, 0.999), (0.4, 0.75), (0.0, 0.9)], [1e-8, 1e-2], [0.0, 0.1]
        ):
            yield rule, dict(betas=betas, eps=eps, weight_decay=decay)


CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def run(rule, options, dtype, params, grads, rates, max_norm=None):
    tensors = {n: torch.tensor(p, dtype=dtype).requires_grad_() for n, p in params.items()}
    optimizer = CLASSES[rule](tensors.values(), lr=rates[0], foreach=False, fused=False, **options)
    for step_grads, rate in zip(grads, rates):
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(step_grads[name], dtype=dtype)
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(tensors.values(), max_norm, foreach=False)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    state = {}
    for name, tensor in tensors.items():
        for key, value in optimizer.state[tensor].items():
            if key != "step" and value is not None:
                state.setdefault(key, {})[name] = numbers(value)
    return {"params": {n: numbers(t) for n, t in tensors.items()}, "state": state}


def make_cases(params, grads):
    rates = [0.05, 0.05, 0.02, 0.01]
    for dtype_name, dtype in DTYPES.items():
        for rule, options in rules():
            result = run(rule, options, dtype, params, grads, rates)
            yield {"rule": rule, "options": options, "dtype": dtype_name, "rates": rates, **result}
        for rule in CLASSES:
            for max_norm in [0.5, 1e6]:  # clips always, never
                result = run(rule, {}, dtype, params, grads, rates, max_norm)
                yield {"rule": rule, "options": {}, "dtype": dtype_name, "rates": rates,
                       "max_norm": max_norm, **result}


def rates_of(make_scheduler, steps, lr):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def make_schedules():
    lr_scheduler = torch.optim.lr_scheduler
    yield {"kind": "step", "lr": 0.5, "every": 3, "gamma": 0.2,
           "rates": rates_of(lambda o: lr_scheduler.StepLR(o, 3, 0.2), 10, 0.5)}
    yield {"kind": "cosine", "lr": 0.5, "end": 0.1, "total_steps": 8,
           "rates": rates_of(lambda o: lr_scheduler.CosineAnnealingLR(o, 8, 0.1), 9, 0.5)}
    yield {"kind": "warmup", "lr": 0.5, "warmup_steps": 4,
           "rates": rates_of(lambda o: lr_scheduler.LinearLR(o, 1 / 4, 1.0, 3), 7, 0.5)}


def main():
    params, grads = make_inputs()
    as_lists = lambda tensors: {n: numbers(torch.tensor(t)) for n, t in tensors.items()}
    golden = {
        "made_with": "torch " + torch.__version__.split("+")[0],
        "shapes": SHAPES,
        "params": as_lists(params),
        "grads": [as_lists(g) for g in grads],
        "schedules": list(make_schedules()),
    }
    text = json.dumps(golden)[:-1] + ', "cases": [\n'
    text += ",\n".join(json.dumps(case, separators=(",", ":")) for case in make_cases(params, grads))
    sys.stdout.write(text + "\n]}\n")


if __name__ == "__main__":
    main()
