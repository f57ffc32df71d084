"""Every benchmark, one after the other: `python -m benchmarks [--quick]`."""

from benchmarks import chain, compiling, cores, jobs, precision

if __name__ == "__main__":
    compiling.main()
    cores.main()
    jobs.main()
    chain.main()
    precision.main()
