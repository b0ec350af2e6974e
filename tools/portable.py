"""Run the numerical tests on every kernel that this processor can run: `make test-portable`.

Sums of floats end in other digits on other processors. OpenBLAS and PyTorch choose their kernels by the processor when they
are loaded, so each variant is a process of its own. Each kernel of BLAS, each of PyTorch and both numbers of threads stand in
one variant at least: the two libraries do not know of each other, so the full product would say little more.
"""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

BLAS = "OPENBLAS_CORETYPE"
ATEN = "ATEN_CPU_CAPABILITY"
THREADS = "OMP_NUM_THREADS"
SIMD = "NPY_DISABLE_CPU_FEATURES"
UNSET = "unset"

PROBE = """
import json, sys
import numpy as np, scipy.linalg, torch
from threadpoolctl import threadpool_info
a = np.random.default_rng(0).normal(size=(65, 65))
scipy.linalg.solve(a @ a.T + np.eye(65), a[0])
torch.from_numpy(a).float().matmul(torch.ones(65)).exp().sum()
blas = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
print(json.dumps({
    "blas": sorted({pool["architecture"] for pool in blas}), "threads": sorted({pool["num_threads"] for pool in blas}),
    "aten": torch.backends.cpu.get_cpu_capability(), "torch_threads": torch.get_num_threads(),
}))
"""

WIDE = """
from numpy._core._multiarray_umath import __cpu_dispatch__ as built, __cpu_features__ as here
print(*(name for name in built if here.get(name) and ("AVX512" in name or name == "X86_V4")))
"""
"""Names the loops of NumPy for AVX-512 that this processor would run."""

KERNELS = {"Haswell": {"Haswell"}, "SkylakeX": {"SkylakeX"}, "Zen": {"Zen", "Haswell"}}
"""What OpenBLAS calls the kernels that it then runs; many builds leave Zen's out, for they are Haswell's."""

CAPABILITIES = {"default": "DEFAULT", "avx2": "AVX2"}


@dataclass(frozen=True)
class Variant:
    """Kernels to run the tests on.

    Args:
        blas: Value of `OPENBLAS_CORETYPE`, or `unset`.
        aten: Value of `ATEN_CPU_CAPABILITY`, or `unset`.
        threads: Value of `OMP_NUM_THREADS`.
    """

    blas: str
    aten: str
    threads: int

    def __str__(self) -> str:
        return f"{BLAS}={self.blas} {ATEN}={self.aten} {THREADS}={self.threads}"

    def environment(self, wide: str = "") -> dict[str, str]:
        """Give the environment of its process; what the caller's says of kernels and threads does not count.

        Args:
            wide: NumPy's loops for AVX-512, left out where BLAS runs the kernel of a processor without it.
        """
        own = {name: value for name, value in os.environ.items() if name not in (BLAS, ATEN, THREADS, SIMD)}
        own = {name: value for name, value in own.items() if not name.endswith(("BLAS_NUM_THREADS", "MKL_NUM_THREADS"))}
        own[THREADS] = str(self.threads)
        if self.blas != UNSET:
            own[BLAS] = self.blas
        if self.aten != UNSET:
            own[ATEN] = self.aten
        if wide and self.blas in ("Haswell", "Zen"):
            own[SIMD] = wide
        return own


VARIANTS = (
    Variant("Haswell", "default", 1),
    Variant("SkylakeX", "avx2", 2),
    Variant("Zen", UNSET, 1),
    Variant(UNSET, UNSET, 2),
)


def obstacle(variant: Variant) -> tuple[str, str]:
    """Load the libraries and compute a little: what runs, and why the variant cannot be run here, if so.

    Args:
        variant: The variant.
    """
    done = subprocess.run([sys.executable, "-c", PROBE], env=variant.environment(), capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGILL:
        return "", "this processor lacks its instructions"
    if done.returncode:
        raise SystemExit(f"{variant}: the libraries do not load:\n{done.stderr}")
    found = json.loads(done.stdout)
    runs = f"OpenBLAS {'/'.join(found['blas']) or 'absent'}, PyTorch {found['aten']}, {found['torch_threads']} thread(s)"
    if variant.blas != UNSET and not set(found["blas"]) <= KERNELS[variant.blas]:
        return runs, f"OpenBLAS runs {'/'.join(found['blas'])} instead"
    if variant.aten != UNSET and found["aten"] != CAPABILITIES[variant.aten]:
        return runs, f"PyTorch runs {found['aten']} instead"
    if found["torch_threads"] != variant.threads:
        return runs, f"PyTorch takes {found['torch_threads']} threads instead"
    return runs, ""


def python(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run this Python, and keep what it says."""
    own = Variant(UNSET, UNSET, 1).environment() if environment is None else environment
    return subprocess.run([sys.executable, *words], env=own, capture_output=True, text=True, check=False)


def numerical_files() -> list[str]:
    """Find the files with numerical tests, so that no variant loads the others."""
    found = python("-m", "pytest", "-m", "numerical", "--collect-only", "-q", "-p", "no:cacheprovider")
    files = [line.split(":")[0] for line in found.stdout.splitlines() if line.startswith("tests/")]
    if found.returncode or not files:
        raise SystemExit(f"the tests could not be collected:\n{found.stdout}{found.stderr}")
    return list(dict.fromkeys(files))


def main() -> int:
    """Run all variants, two at a time, and give the exit status."""
    wide, files, words = python("-c", WIDE).stdout.strip(), numerical_files(), sys.argv[1:]
    print(
        f"{len(VARIANTS)} variants of the numerical tests in {len(files)} files; about five minutes on two busy cores", flush=True
    )
    failed: dict[Variant, str] = {}

    def run(variant: Variant) -> None:
        runs, why = obstacle(variant)
        if why:
            print(f"{variant}: not run here, {why}", flush=True)
            return
        options = ("-m", "numerical", "-p", "no:cacheprovider", "--tb=short")
        done = python("-m", "pytest", *options, *files, *words, environment=variant.environment(wide))
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()
        print(f"{variant} ({runs}): {'passed' if not done.returncode else f'failed, {last}'}", flush=True)
        if done.returncode:
            failed[variant] = done.stdout + done.stderr

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, VARIANTS))
    for variant, said in failed.items():
        print(f"\n===== {variant}\n{said}")
    print(f"failed: {', '.join(map(str, failed))}" if failed else "every variant that can run here passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
