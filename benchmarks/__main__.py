"""Every benchmark, one after the other: `python -m benchmarks [--quick]`."""

from benchmarks import chain, compiling, cores, jobs, largest, precision

if __name__ == "__main__":
    compiling.main()
    cores.main()
    jobs.main()
    chain.main()
    largest.main()
    precision.main()
