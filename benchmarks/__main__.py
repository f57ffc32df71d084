"""Every benchmark, one after the other: `python -m benchmarks [--quick]`."""

from benchmarks import chain, jobs, precision

if __name__ == "__main__":
    jobs.main()
    chain.main()
    precision.main()
