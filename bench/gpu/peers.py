"""The weights of the next batch from gradients on a GPU, in PyTorch: what pike-mixer is compared with.

Reads a request from standard input, {device, runs, shapes: [{dtype, tasks, rows, d}]}, and writes one JSON object to
standard output: {torch, device, results: [{shape, form, device_ms, whole_ms}], notes}, or {skipped} with the reason.
Times are lists in milliseconds: on the GPU alone, and as a whole with the copy of the sums to the host and the
solving there.
"""

import json
import sys
import time

SAMPLES = 4.0  # of every micro-batch
WARM_UP = 3


def main():
    request = json.load(sys.stdin)
    try:
        import torch
    except ImportError as error:
        return {"skipped": f"python3 has no torch ({error})"}
    if request["device"] == "cuda" and not torch.cuda.is_available():
        return {"skipped": f"torch {torch.__version__} finds no GPU"}
    peers = Peers(torch, request["device"], request["runs"])
    for shape in request["shapes"]:
        peers.run(shape)
    name = torch.cuda.get_device_name() if request["device"] == "cuda" else "cpu"
    return {"torch": torch.__version__, "device": name, "results": peers.results, "notes": peers.notes}


class Peers:
    def __init__(self, torch, device, runs):
        self.torch = torch
        self.device = device
        self.runs = runs
        self.results = []
        self.notes = []

    def run(self, shape):
        """All forms on the rows of one shape. What does not fit into memory, or this version cannot do, is noted."""
        torch = self.torch
        tasks, rows, d = shape["tasks"], shape["rows"], shape["d"]
        try:
            gradients = torch.empty(tasks, rows // tasks, d, dtype=getattr(torch, shape["dtype"]), device=self.device)
            gradients.uniform_(-1, 1)
        except RuntimeError as error:
            self.note(shape, "the rows", error)
            return
        estimates = {}
        for name, sums in self.forms(gradients).items():
            try:
                estimates[name] = self.time(shape, name, sums)
            except (RuntimeError, TypeError) as error:
                self.note(shape, name, error)
        # Forms that gave different numbers would not have done the same job.
        complete = [value for name, value in estimates.items() if name != ROWS_ONLY]
        for other in complete[1:]:
            if not torch.allclose(other[1], complete[0][1], rtol=0.05):
                raise SystemExit(f"peers.py: forms disagree about the variance for {shape}: {estimates}")

    def note(self, shape, name, error):
        first = str(error).splitlines()[0]
        self.notes.append(f"{name}, {shape['dtype']}, {shape['rows']} rows: not run ({first})")
        if self.device == "cuda":
            self.torch.cuda.empty_cache()

    def forms(self, gradients):
        """By name: functions that give what `solve` takes, as one tensor on the device."""
        torch = self.torch
        tasks, m, d = gradients.shape
        rows = gradients.view(tasks * m, d)
        half = gradients.dtype != torch.float32
        # 16-bit norms and sums would be rounded to 16 bits.
        wide = {"dtype": torch.float32} if half else {}

        def norms_of(tensors):
            return torch.stack(torch._foreach_norm(tensors, 2, **wide)).double().square()

        def rows_only():
            return torch.cat([norms_of(list(rows)), torch.zeros(tasks, device=rows.device).double()])

        def foreach_norm():
            return norms_of(list(rows) + list(gradients.mean(dim=1)))

        def two_pass():
            variance, mean = torch.var_mean(gradients, dim=1)
            means = mean.square().sum(dim=1, **wide).double()
            deviations = (m - 1) * variance.sum(dim=1, **wide).double()
            squares = (deviations / m + means).repeat_interleave(m)
            return torch.cat([squares, means])

        def gram(tf32):
            def sums():
                torch.backends.cuda.matmul.allow_tf32 = tf32
                products = (rows @ rows.T).double().view(tasks, m, tasks, m)
                diagonal = products.diagonal(dim1=0, dim2=2)  # [m, m, tasks]
                squares = diagonal.diagonal(dim1=0, dim2=1).reshape(-1)
                return torch.cat([squares, diagonal.mean(dim=(0, 1))])

            return sums

        forms = {ROWS_ONLY: rows_only, "_foreach_norm of rows and means": foreach_norm, "var_mean": two_pass}
        if half:
            return {**forms, "A @ A.T": gram(False)}
        return {**forms, "A @ A.T": gram(False), "A @ A.T, TF32": gram(True)}

    def time(self, shape, name, sums):
        tasks, m = shape["tasks"], shape["rows"] // shape["tasks"]
        device_ms, whole_ms = [], []
        for run in range(-WARM_UP, self.runs):
            self.synchronize()
            started = time.perf_counter()
            begin = self.event()
            on_device = sums()
            end = self.event()
            norm, variance, weights = solve(self.torch, on_device.cpu(), tasks, m)
            whole = 1e3 * (time.perf_counter() - started)
            if run >= 0:
                whole_ms.append(whole)
                device_ms.append(self.elapsed(begin, end))
        self.results.append({"shape": shape, "form": name, "device_ms": device_ms, "whole_ms": whole_ms})
        return norm, variance, weights

    def synchronize(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def event(self):
        if self.device != "cuda":
            return time.perf_counter()
        event = self.torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def elapsed(self, begin, end):
        return begin.elapsed_time(end) if self.device == "cuda" else 1e3 * (end - begin)


# Less than the job: without the means there is no variance and no unbiased norm.
ROWS_ONLY = "_foreach_norm of rows only"


def solve(torch, sums, tasks, m):
    """One step of PiKE on the host. `sums`: squared norms of all rows, then those of the means of all tasks."""
    squares = sums[: tasks * m].view(tasks, m)
    means = sums[tasks * m :]
    samples = m * SAMPLES
    variance = SAMPLES * (squares.sum(dim=1) - m * means) / (m - 1)
    norm = means - variance / samples
    scale = norm.clamp(min=0).sum().clamp(min=1e-300)
    exponents = (0.05 * norm - 0.005 / (2 * 64 * tasks) * variance) / scale
    return norm, variance, torch.softmax(exponents.clamp(-0.3, 0.3), dim=0)


if __name__ == "__main__":
    print(json.dumps(main()))
