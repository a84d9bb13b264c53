"""`make bench`: what the site takes beside its floors and peers, one benchmark after the other, on the sample gallery.

Most take the same arguments, as in `python -m benchmarks PICTURES --runs 5`. Left to be run by name are those that take
hours or gigabytes (`large_import`, `mixed_use`, `scaling`), those of quality, and `gpu`.
"""

import sys
import time

from benchmarks import decoding, duplicates, filtering, importing, page, query, ranking, users
from benchmarks.site import say
from imgsim_site import chromium

WITH_PICTURES = [importing, query, page, ranking, filtering, users]
BY_THEMSELVES = [decoding, duplicates]

given = sys.argv[1:]
for benchmark in WITH_PICTURES + BY_THEMSELVES:
    name = benchmark.__name__.rpartition(".")[2]
    if benchmark is page and chromium.find() is None:
        say("page: left out, there is no Chromium")
        continue
    say(f"\n{name}: {(benchmark.__doc__ or '').partition(chr(10))[0]}")
    started = time.monotonic()
    sys.argv = [f"benchmarks/{name}.py", *(given if benchmark in WITH_PICTURES else [])]
    benchmark.main()
    say(f"{name} took {time.monotonic() - started:.0f} s")
