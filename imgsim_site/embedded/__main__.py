"""Be the supervisor: `python -m imgsim_site.embedded VAR`."""

import sys

from imgsim_site.embedded.supervisor import main

sys.exit(main(sys.argv[1:]))
