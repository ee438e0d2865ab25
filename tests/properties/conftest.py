"""How many examples each property is tried on: few in the suite, as many as `PROPERTY_EXAMPLES` says in a thorough run."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "keras_snnkd",
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "12")),
    deadline=None,
    derandomize="PROPERTY_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("keras_snnkd")
