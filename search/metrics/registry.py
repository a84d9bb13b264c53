"""What this process counts by itself, in the types of prometheus_client."""

from prometheus_client import CollectorRegistry, ProcessCollector

# Not the library's own registry: libraries may register what they like there.
PROCESS = CollectorRegistry(auto_describe=False)
ProcessCollector(namespace="imgsim", registry=PROCESS)
