"""Monitoring: health probes, metrics, traces and slow requests, each by one line.

```python
from demijohn import App
from demijohn.monitoring import Health, SlowRequests

app = App()
app.use(Health())  # /livez and /readyz
app.use(SlowRequests(0.5))
```

Nothing of it is there without being asked for.
"""

from demijohn.monitoring.health import Health
from demijohn.monitoring.metrics import Metrics
from demijohn.monitoring.slow import SlowRequests
from demijohn.monitoring.tracing import Tracing

__all__ = ["Health", "Metrics", "SlowRequests", "Tracing"]
