"""`make bench`: import throughput, query latency and index recall, one after the other, on the sample gallery."""

import sys

from benchmarks import importing, query, ranking

for benchmark in (importing, query, ranking):
    sys.argv[0] = f"benchmarks/{benchmark.__name__.rpartition('.')[2]}.py"
    benchmark.main()
