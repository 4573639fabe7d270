"""OpenBLAS and NumPy on the same shapes, driven line by line, so that runs here and runs of pike-mixer take turns.

Reads one JSON object per line from standard input and answers each with one on standard output:
    {op: "hello"}                      -> {python, numpy, openblas, reasons}: versions, null where missing
    {op: "allocate", tasks, rows, d}   -> {}
    {op: "ssyrk" | "matmul" | "two-pass"} -> {seconds, trace}
Any of them may be answered with {error}. Threads are set from outside, by OPENBLAS_NUM_THREADS.
"""

import contextlib
import ctypes
import ctypes.util
import glob
import json
import mmap
import os
import platform
import random
import struct
import sys
import time

try:
    import numpy
except ImportError as error:
    numpy = None
    NO_NUMPY = f"python3 has no numpy ({error})"

BLOCK = 1 << 16


class OpenBlas:
    """One build of OpenBLAS. @raises OSError when it does not load or has no ssyrk."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        # Names differ by who built it; those that end in 64_ take 64-bit integers.
        for name in ["scipy_cblas_ssyrk64_", "cblas_ssyrk64_", "scipy_cblas_ssyrk", "cblas_ssyrk"]:
            if hasattr(library, name):
                self.ssyrk = getattr(library, name)
                self.integer = ctypes.c_int64 if name.endswith("64_") else ctypes.c_int32
                break
        else:
            raise OSError(f"{path} has no cblas_ssyrk")
        self.config = self.describe(library)

    @staticmethod
    def describe(library):
        for prefix in ["scipy_", ""]:
            for suffix in ["64_", ""]:
                name = f"{prefix}openblas_get_config{suffix}"
                if hasattr(library, name):
                    get = getattr(library, name)
                    get.restype = ctypes.c_char_p
                    return get().decode().strip()
        return "OpenBLAS of an unknown version"

    def run(self, matrix, products, rows, d):
        """products = matrix matrix', the upper triangle, both row by row. Returns seconds."""
        row_major, upper, no_transpose = 101, 121, 111
        size = self.integer
        started = time.perf_counter()
        self.ssyrk(
            ctypes.c_int(row_major), ctypes.c_int(upper), ctypes.c_int(no_transpose), size(rows), size(d),
            ctypes.c_float(1), ctypes.c_void_p(matrix), size(d), ctypes.c_float(0), ctypes.c_void_p(products), size(rows),
        )  # fmt: skip
        return time.perf_counter() - started

    def trial(self):
        """Seconds for a small product: an old build may not know this CPU and be several times slower."""
        rows, d = 8, 50_000
        matrix, products = (ctypes.c_float * (rows * d))(), (ctypes.c_float * (rows * rows))()
        return min(self.run(ctypes.addressof(matrix), ctypes.addressof(products), rows, d) for _ in range(9))


def fastest_openblas():
    """The faster of the system's and the one that NumPy brings along, and why there is none."""
    candidates = [ctypes.util.find_library("openblas")]
    if numpy is not None:
        folder = os.path.join(os.path.dirname(numpy.__file__), "..", "numpy.libs")
        candidates += sorted(glob.glob(os.path.join(folder, "lib*openblas*")))
    reason = "no OpenBLAS was found, neither the system's nor in a NumPy"
    builds = []
    for path in filter(None, candidates):
        try:
            builds.append(OpenBlas(path))
        except OSError as error:
            reason = str(error)
    return min(builds, key=OpenBlas.trial, default=None), reason


class Peers:
    def __init__(self):
        self.blas, self.no_blas = fastest_openblas()
        self.memory = None

    def hello(self, _):
        reasons = {}
        if self.blas is None:
            reasons["openblas"] = self.no_blas
        if numpy is None:
            reasons["numpy"] = NO_NUMPY
        return {
            "python": platform.python_version(),
            "numpy": numpy and numpy.__version__,
            "openblas": self.blas and self.blas.config,
            "reasons": reasons,
        }

    def allocate(self, request):
        self.tasks, self.rows, self.d = request["tasks"], request["rows"], request["d"]
        self.matrix = None
        self.memory = None
        size = 4 * self.rows * self.d
        self.memory = mmap.mmap(-1, size)
        with contextlib.suppress(AttributeError, OSError):
            self.memory.madvise(mmap.MADV_HUGEPAGE)  # as NumPy does for its own arrays
        generate = random.Random(1)
        # Of a length that no row is a multiple of: rows must differ.
        block = struct.pack(f"{BLOCK - 1}f", *(generate.uniform(-1, 1) for _ in range(BLOCK - 1)))
        for at in range(0, size, len(block)):
            self.memory[at : min(at + len(block), size)] = block[: size - at]
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        if numpy is not None:
            self.matrix = numpy.frombuffer(self.memory, dtype=numpy.float32).reshape(self.rows, self.d)
        return {}

    def ssyrk(self, _):
        products = (ctypes.c_float * (self.rows * self.rows))()
        seconds = self.blas.run(self.address, ctypes.addressof(products), self.rows, self.d)
        return {"seconds": seconds, "trace": sum(products[i * (self.rows + 1)] for i in range(self.rows))}

    def matmul(self, _):
        started = time.perf_counter()
        products = self.matrix @ self.matrix.T
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "trace": float(numpy.trace(products))}

    def two_pass(self, _):
        """Means and deviations of all tasks, and the products of the means, as one writes them in NumPy."""
        started = time.perf_counter()
        rows = self.matrix.reshape(self.tasks, -1, self.d)
        means = numpy.empty((self.tasks, self.d), dtype=numpy.float32)
        deviation = numpy.empty(self.tasks)
        for task in range(self.tasks):
            numpy.mean(rows[task], axis=0, out=means[task])
            away = (rows[task] - means[task]).reshape(-1)
            deviation[task] = away @ away
        products = means @ means.T
        seconds = time.perf_counter() - started
        squares = deviation.sum() + rows.shape[1] * numpy.trace(products)
        return {"seconds": seconds, "trace": float(squares)}


def main():
    peers = Peers()
    answers = {
        "hello": peers.hello,
        "allocate": peers.allocate,
        "ssyrk": peers.ssyrk,
        "matmul": peers.matmul,
        "two-pass": peers.two_pass,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = answers[request["op"]](request)
        except (MemoryError, OSError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
